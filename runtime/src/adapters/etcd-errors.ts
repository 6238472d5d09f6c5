/** What an error of etcd means, in words that tell what to do, and whether it proves that nothing was done. */
export interface EtcdReason {
  readonly message: string;
  /** The server has certainly not executed the request, and another member would answer the same. */
  readonly isRefusal: boolean;
}

/** As etcd and its client word them; the last column tells whether another endpoint is worth a try. */
const reasons: readonly (readonly [RegExp, string, 'refusal' | 'trouble'])[] = [
  [
    /authentication failed, invalid user/,
    'it refuses the user name or the password: correct "username" and "password" of the state provider',
    'refusal',
  ],
  [
    /user name is empty|user name not found/,
    'it demands a user name: set "username" and "password" of the state provider',
    'refusal',
  ],
  [
    /authentication is not enabled/,
    'a user name is set, but authentication is off there: enable it, or remove "username" and "password"',
    'refusal',
  ],
  [
    /permission denied/,
    'the user may not read and write all keys below the prefix: grant its role "readwrite" on the whole prefix',
    'refusal',
  ],
  [
    /invalid auth token/,
    'it does not know the token any more; the next call asks for another',
    'refusal',
  ],
  [
    /database space exceeded/,
    'its database is full (alarm NOSPACE): compact and defragment it, raise its quota, then disarm the alarm',
    'refusal',
  ],
  [
    /corrupt cluster/,
    'it has found that its members differ (alarm CORRUPT): replace the member that differs',
    'refusal',
  ],
  [
    /no leader|leader changed|request timed out/,
    'it has no leader: most members are away, or an election is under way',
    'trouble',
  ],
  [/ECONNREFUSED|No connection established/, 'nothing listens there', 'trouble'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'its name cannot be resolved', 'trouble'],
  [
    /DEADLINE_EXCEEDED|[Dd]eadline exceeded|aborted due to timeout/,
    'there was no answer in time: the member is frozen, slow or cut off, or most members are away',
    'trouble',
  ],
];

export function explainEtcdError(error: unknown): EtcdReason {
  const text = error instanceof Error ? error.message : String(error);
  const known = reasons.find(([pattern]) => pattern.test(text));
  if (known === undefined) return { message: text, isRefusal: false };
  return { message: `${known[1]} (${text})`, isRefusal: known[2] === 'refusal' };
}
