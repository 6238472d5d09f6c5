/**
 * What the statuses of etcd's members say together. Members of one healthy cluster agree on its id and its leader and
 * are nearly as far as each other; one that was restored from old data, or belongs to another cluster, does not.
 */
export interface EtcdMemberStatus {
  readonly endpoint: string;
  readonly clusterId: string;
  readonly memberId: string;
  /** '0' when it knows of none. */
  readonly leaderId: string;
  readonly raftTerm: number;
  readonly raftIndex: number;
  readonly version: string;
  readonly dbSizeBytes: number;
  /** Its alarms, as it tells them: NOSPACE, CORRUPT. */
  readonly errors: readonly string[];
}

export type EtcdAnswer =
  | { readonly kind: 'status'; readonly status: EtcdMemberStatus }
  | { readonly kind: 'silent'; readonly endpoint: string; readonly reason: string };

/** Of requests; a member that lags by more cannot take over what it does not have. */
const LARGEST_LAG = 5000;
/** Of etcd's own default quota, 2 GB. */
const LARGE_DB_BYTES = 1_600_000_000;

/** The cluster that most endpoints belong to; the first of them where two have as many. */
export function prevailingCluster(statuses: readonly EtcdMemberStatus[]): string | undefined {
  const counted = statuses.map(({ clusterId }) => ({
    clusterId,
    count: statuses.filter((other) => other.clusterId === clusterId).length,
  }));
  return counted.toSorted((a, b) => b.count - a.count)[0]?.clusterId;
}

/** Sentences for people: what is wrong, and what to do. */
export function judgeEtcdMembers(answers: readonly EtcdAnswer[]): readonly string[] {
  const statuses = answers.flatMap((answer) => (answer.kind === 'status' ? [answer.status] : []));
  const cluster = prevailingCluster(statuses);
  const members = statuses.filter(({ clusterId }) => clusterId === cluster);
  const foreign = statuses.filter(({ clusterId }) => clusterId !== cluster);
  return [
    ...answers.flatMap((answer) => (answer.kind === 'silent' ? [silent(answer)] : [])),
    ...foreign.map(
      ({ endpoint, clusterId }) =>
        `etcd members disagree: ${endpoint} belongs to another cluster (${clusterId}) than the others (${cluster}). ` +
        'Its answers are not believed. Take it out of "endpoints", or let it join the cluster with an empty data directory.',
    ),
    ...disagreements(members),
    ...members.flatMap(alarms),
  ];
}

function disagreements(members: readonly EtcdMemberStatus[]): readonly string[] {
  const led = members.filter(({ leaderId }) => leaderId !== '0');
  // One that is cut off calls elections, and counts terms up without ever having a leader.
  const newestTerm = Math.max(...led.map(({ raftTerm }) => raftTerm));
  const newestIndex = Math.max(...members.map(({ raftIndex }) => raftIndex));
  const leader = led.find(({ raftTerm }) => raftTerm === newestTerm)?.leaderId;
  if (members.length > 0 && leader === undefined) {
    return [
      'etcd has no leader: most of its members are away. Nothing can be appointed until they are back.',
    ];
  }
  return members.flatMap(({ endpoint, leaderId, raftTerm, raftIndex }) => {
    if (leaderId !== leader) {
      const whom = leaderId === '0' ? 'no leader' : `leader ${leaderId} of term ${raftTerm}`;
      return [
        `etcd members disagree: ${endpoint} knows ${whom}, others follow ${leader} in term ${newestTerm}. ` +
          'If it stays so, it is cut off, or was started from old data: remove it and add it again with an empty data directory.',
      ];
    }
    if (newestIndex - raftIndex <= LARGEST_LAG) return [];
    return [
      `etcd member ${endpoint} is ${newestIndex - raftIndex} requests behind the others: its disk or its network is slow.`,
    ];
  });
}

function alarms({ endpoint, errors, dbSizeBytes }: EtcdMemberStatus): readonly string[] {
  const found = errors.map((error) => {
    if (error.includes('NOSPACE')) {
      return `etcd member ${endpoint} is full (alarm NOSPACE), and etcd takes no writes: compact and defragment it, then "etcdctl alarm disarm".`;
    }
    if (error.includes('CORRUPT')) {
      return `etcd member ${endpoint} has data that differs from that of the others (alarm CORRUPT): remove it and add it again with an empty data directory.`;
    }
    return `etcd member ${endpoint} reports: ${error}`;
  });
  const isLarge = dbSizeBytes > LARGE_DB_BYTES && found.length === 0;
  const megabytes = Math.round(dbSizeBytes / 1_000_000);
  return isLarge
    ? [
        `The database of etcd member ${endpoint} has ${megabytes} MB, near the default quota of 2 GB: compact and defragment it.`,
      ]
    : found;
}

function silent({
  endpoint,
  reason,
}: {
  readonly endpoint: string;
  readonly reason: string;
}): string {
  return `etcd member ${endpoint} does not answer: ${reason}`;
}
