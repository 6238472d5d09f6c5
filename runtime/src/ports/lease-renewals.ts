/**
 * Renews a lease that the main loop has taken, also while the main loop is busy.
 *
 * It is given the hold when it can send an attempt at once, and the main loop renews until then. Only one of both ever
 * sends attempts: the main loop sends none between `begin` and the moment when `stop` has resolved. After that nothing
 * changes `state` any more, so that a hold which is void, dropped or handed over since cannot come back.
 */
import type { LeaseHold } from '../core/failover/lease-hold.ts';
import type { ProviderPlace } from './state-provider.ts';

export interface RenewalState {
  /** Its revision is of the client that renews. */
  readonly hold: LeaseHold;
  /** That revision, for other clients. */
  readonly place: ProviderPlace;
  /** Why the last attempt has no outcome. */
  readonly trouble?: string;
}

export interface RenewalTarget {
  readonly replicaSetUuid: string;
  /** Whom the record names: an instance. */
  readonly holder: string;
  readonly ttlMs: number;
}

export interface RenewalTask {
  /** The last attempt was answered. */
  readonly state: RenewalState;
  readonly permittedUntilMs: number;
}

/** Why nothing is renewed any more. `failed`: what renews is broken; the hold is as it was. */
export type RenewalEnd =
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface RunningRenewals {
  /** As it is now, even if the main loop was busy since. */
  readonly state: RenewalState;
  readonly end: RenewalEnd | undefined;
  /** Attempts may be sent until then, on the clock of the main loop. */
  permit(untilMs: number): void;
  /** Sends nothing any more from now on. Resolves soon, when `state` is what is known at last. */
  stop(): Promise<void>;
}

export interface StartedRenewals {
  /** Everything is loaded, and its own client has read from the state provider. */
  readonly isReady: boolean;
  readonly end: RenewalEnd | undefined;
  /** Once, when it is ready. Calls `onNews` after changes of `state` or `end`, never from within a call of these. */
  begin(task: RenewalTask, onNews: () => void): RunningRenewals;
  /** Instead of beginning. */
  stop(): Promise<void>;
}

export interface LeaseRenewals {
  /** Throws when nothing can be started now. */
  start(target: RenewalTarget): StartedRenewals;
}
