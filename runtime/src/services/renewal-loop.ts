/**
 * Gets ready to renew one lease, and renews it from when it is given the hold, for as long as that is permitted.
 *
 * An attempt is published before it is sent: whoever goes on from what was published, even if this loop has died at
 * any moment, recognizes the record that the attempt may have written.
 */
import { type LeaseHold, renewalPeriodMs } from '../core/failover/lease-hold.ts';
import { isPermitted } from '../core/failover/renewal-permission.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type {
  RenewalEnd,
  RenewalState,
  RenewalTarget,
  RenewalTask,
} from '../ports/lease-renewals.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { type HoldSlot, LeaseRecord } from './lease-record.ts';
import { isProviderTrouble } from './stored-records.ts';

export type RenewalNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'state'; readonly state: RenewalState }
  | { readonly kind: 'end'; readonly end: RenewalEnd };

export interface RenewalLoopOptions {
  readonly provider: Pick<StateProvider, 'get' | 'transact' | 'placeOf' | 'revisionAt'>;
  /** Its moments are compared with those of the main loop. */
  readonly clock: Clock;
  readonly random: Random;
  readonly target: RenewalTarget;
  /** The hold, some time after `ready`; undefined when it was stopped before. */
  readonly given: Promise<RenewalTask | undefined>;
  readonly permittedUntilMs: () => number;
  readonly publish: (news: RenewalNews) => void;
}

/** Ends when the signal aborts, and when the lease is lost. */
export async function runRenewals(options: RenewalLoopOptions, signal: AbortSignal): Promise<void> {
  try {
    await getReady(options, signal);
    options.publish({ kind: 'ready' });
    const task = await options.given;
    if (task !== undefined) await new RenewalLoop(options, task).run(signal);
  } catch (error) {
    options.publish({ kind: 'end', end: { kind: 'failed', error } });
  }
}

/** Connecting for the first time takes long: the record is read until that was done once. */
async function getReady(options: RenewalLoopOptions, signal: AbortSignal): Promise<void> {
  const { clock, target } = options;
  const record = new LeaseRecord({ ...options, ...target });
  while (!signal.aborted) {
    try {
      await record.read(signal);
      return;
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      await clock.sleep(target.ttlMs / 3, signal).catch(() => undefined);
    }
  }
}

class RenewalLoop implements HoldSlot {
  readonly #options: RenewalLoopOptions;
  readonly #record: LeaseRecord;
  #hold: LeaseHold | undefined;
  #state: RenewalState;

  constructor(options: RenewalLoopOptions, { state }: RenewalTask) {
    this.#options = options;
    this.#record = new LeaseRecord({ ...options, ...options.target });
    this.#state = state;
  }

  hold(): LeaseHold | undefined {
    return this.#hold;
  }

  set(hold: LeaseHold, isNews: boolean): void {
    this.#hold = hold;
    // The place of a new revision is asked for first: until then the attempt that made it is published.
    if (!isNews) this.#publish({ ...this.#state, hold });
  }

  lost(reason: string): void {
    this.#hold = undefined;
    this.#options.publish({ kind: 'end', end: { kind: 'lost', reason } });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, target } = this.#options;
    const { ttlMs } = target;
    await this.#begin();
    let nextMs = (this.#state.hold.confirmed?.monotonicMs ?? 0) + renewalPeriodMs(ttlMs);
    while (this.#hold !== undefined && !signal.aborted) {
      // At least a little, so that a provider that fails at once is not flooded.
      const restMs = Math.max(nextMs - clock.monotonicMs(), ttlMs / 30);
      await clock.sleep(restMs, signal).catch(() => undefined);
      const nowMs = clock.monotonicMs();
      if (!this.#mayRenew(nowMs, signal)) continue;
      nextMs = nowMs + renewalPeriodMs(ttlMs);
      await this.#renew(signal);
    }
  }

  async #begin(): Promise<void> {
    const { hold, place } = this.#state;
    this.#hold = { ...hold, revision: await this.#options.provider.revisionAt(place) };
  }

  #mayRenew(nowMs: number, signal: AbortSignal): boolean {
    return !signal.aborted && isPermitted(this.#options.permittedUntilMs(), nowMs);
  }

  async #renew(signal: AbortSignal): Promise<void> {
    let trouble: string | undefined;
    try {
      await this.#record.renew(this, signal);
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      trouble = error instanceof Error ? error.message : '';
    }
    const hold = this.#hold;
    if (hold === undefined) return;
    const place = await this.#options.provider.placeOf(hold.revision);
    this.#publish({ hold, place, ...(trouble !== undefined && { trouble }) });
  }

  #publish(state: RenewalState): void {
    this.#state = state;
    this.#options.publish({ kind: 'state', state });
  }
}
