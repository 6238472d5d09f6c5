/**
 * Who leads this instance's replica set, as the storage sees it.
 *
 * The failover service implements it; the storage obeys it: only a leader whose deadline has not passed applies a
 * write, and it answers a write only if the deadline still has not passed then.
 */
import type { Seat } from '../contract/provider-records.ts';

export type Leadership =
  /** No leader is known. */
  | { readonly kind: 'none'; readonly term: number; readonly reason: string }
  /** Another instance leads: its rows are pulled. */
  | { readonly kind: 'follower'; readonly term: number; readonly leader: string }
  /** This instance leads, until `deadlineMs` of the monotonic clock (Infinity without a state provider). */
  | {
      readonly kind: 'leader';
      readonly term: number;
      readonly deadlineMs: number;
      /** The state provider does not answer, and all other in-sync members have granted that it leads on. */
      readonly byPeerLeases?: boolean;
      /** Seats whose appends acknowledge a write: while a change of them is under way, the union of old and new. */
      readonly inSync: readonly Seat[];
      /**
       * `local`: a write is answered once the own log has it, as long as no space is synchronous. `majority`: once a
       * majority of the enabled instances has it. Left out: once all these seats have it.
       */
      readonly ack?: 'local' | 'majority';
    };

export type InSyncOutcome = 'stored' | 'lost' | 'unknown';

export interface LeadershipPort {
  current(): Leadership;
  /** Called after every change of `current()`, in the same tick; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /**
   * Asks for other in-sync members in the present term. Until it resolves `current().inSync` is the union.
   * `lost`: another appointment exists, this instance does not lead any more.
   */
  proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome>;
}
