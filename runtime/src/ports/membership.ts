/**
 * Who is there: what this instance has heard of all instances of the cluster by gossip.
 *
 * It is each instance's own opinion, seconds old, and may differ from that of the others: nothing that must be safe
 * rests on it alone.
 */

import type { GossipEntry } from '../core/membership/entry.ts';

export type { GossipEntry, GossipStatus } from '../core/membership/entry.ts';

export interface Membership {
  /** Every instance that was heard of, this one too, sorted by `uri`. */
  entries(): readonly GossipEntry[];
  /** Tells the others of it; the value that it has already changes nothing [MEM-10]. */
  setPayload(key: string, value: string): void;
  /** Called after each change of `entries()`, in the same tick; returns the function that ends it [MEM-15]. */
  onChange(listener: () => void): () => void;
}
