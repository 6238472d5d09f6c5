/**
 * What gossip says of one instance, and which of two such words is believed.
 *
 * The higher incarnation wins; at the same one, the worse status. As only an instance itself raises its incarnation,
 * it can take back whatever is said of it, and nobody else can make it better than it is. Believing is commutative,
 * associative and idempotent: whoever has heard the same words, in any order and any number, believes the same.
 */

/** Worse ones come later: at the same incarnation the worse one is believed. */
export type GossipStatus = 'alive' | 'suspect' | 'dead' | 'left';

/** One instance, as gossip tells of it. */
export interface GossipEntry {
  /** `host:port`, where it is reached by gossip: the `uri` of its server in the topology. */
  readonly uri: string;
  readonly status: GossipStatus;
  /** Raised by the instance itself alone, to refute what is said of it, or with a new payload. */
  readonly incarnation: number;
  /** What it tells of itself: `uuid`, `alias`, `state`, `leader_uuid`, `raft_term` [MEM-10]. */
  readonly payload: Readonly<Record<string, string>>;
}

/** In the order of precedence; their places are what is sent. */
export const GOSSIP_STATUSES: readonly GossipStatus[] = ['alive', 'suspect', 'dead', 'left'];

/** Beyond it, no incarnation could be raised any more. */
export const INCARNATION_MAX = 2 ** 52;

/** How often an instance may raise its incarnation before those of its next start are reached: 16 million times. */
const RAISES_PER_START = 2 ** 24;

/** Above all those of the starts before, which others may still tell of. */
export function firstIncarnation(start: number): number {
  return Math.min(start * RAISES_PER_START, INCARNATION_MAX - RAISES_PER_START);
}

/** Of an instance that is to be there, and was not heard of: any word of its own is newer. */
export function unheardEntry(uri: string): GossipEntry {
  return { uri, status: 'alive', incarnation: 0, payload: {} };
}

/** `known` itself when `heard` adds nothing to it. */
export function believed(known: GossipEntry | undefined, heard: GossipEntry): GossipEntry {
  if (known === undefined || heard.incarnation > known.incarnation) return heard;
  if (heard.incarnation < known.incarnation) return known;
  const status = isWorse(heard.status, known.status) ? heard.status : known.status;
  // Two payloads of one incarnation are a fault of somebody: all choose the same, until it is refuted.
  const isOther = payloadText(heard.payload) > payloadText(known.payload);
  if (status === known.status && !isOther) return known;
  return { ...known, status, payload: isOther ? heard.payload : known.payload };
}

export function isWorse(a: GossipStatus, b: GossipStatus): boolean {
  return GOSSIP_STATUSES.indexOf(a) > GOSSIP_STATUSES.indexOf(b);
}

export function samePayload(a: GossipEntry, b: GossipEntry): boolean {
  return a.payload === b.payload || payloadText(a.payload) === payloadText(b.payload);
}

function payloadText(payload: GossipEntry['payload']): string {
  return JSON.stringify(Object.entries(payload).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
