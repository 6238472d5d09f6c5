/**
 * Who is there: what this instance has heard of all instances of the cluster by gossip.
 *
 * It is each instance's own opinion, seconds old, and may differ from that of the others: nothing that must be safe
 * rests on it alone.
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

export interface Membership {
  /** Every instance that was heard of, this one too, sorted by `uri`. */
  entries(): readonly GossipEntry[];
  /** Tells the others of it; the value that it has already changes nothing [MEM-10]. */
  setPayload(key: string, value: string): void;
  /** Called after each change of `entries()`, in the same tick; returns the function that ends it [MEM-15]. */
  onChange(listener: () => void): () => void;
}
