/**
 * Renews one lease for as long as it is permitted, and publishes what it knows of the hold.
 *
 * An attempt is published before it is sent: whoever goes on from what was published, even if this loop has died at
 * any moment, recognizes the record that the attempt may have written.
 */
import { type LeaseHold, renewalPeriodMs } from '../core/failover/lease-hold.ts';
import { isPermitted } from '../core/failover/renewal-permission.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type { RenewalEnd, RenewalState, RenewalTask } from '../ports/lease-renewals.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { type HoldSlot, LeaseRecord } from './lease-record.ts';
import { isProviderTrouble } from './stored-records.ts';

export type RenewalNews =
  | { readonly kind: 'state'; readonly state: RenewalState }
  | { readonly kind: 'end'; readonly end: RenewalEnd };

export interface RenewalLoopOptions {
  readonly provider: Pick<StateProvider, 'get' | 'transact' | 'placeOf' | 'revisionAt'>;
  /** Its moments are compared with those of the main loop. */
  readonly clock: Clock;
  readonly random: Random;
  readonly task: RenewalTask;
  readonly permittedUntilMs: () => number;
  readonly publish: (news: RenewalNews) => void;
}

/** Ends when the signal aborts, and when the lease is lost. */
export async function runRenewals(options: RenewalLoopOptions, signal: AbortSignal): Promise<void> {
  try {
    await new RenewalLoop(options).run(signal);
  } catch (error) {
    options.publish({ kind: 'end', end: { kind: 'failed', error } });
  }
}

class RenewalLoop implements HoldSlot {
  readonly #options: RenewalLoopOptions;
  readonly #record: LeaseRecord;
  #hold: LeaseHold | undefined;
  #state: RenewalState;

  constructor(options: RenewalLoopOptions) {
    this.#options = options;
    this.#record = new LeaseRecord({ ...options, ...options.task });
    this.#state = options.task.state;
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
    const { clock, task } = this.#options;
    const { ttlMs } = task;
    await this.#begin(signal);
    let nextMs = (this.#hold?.confirmed?.monotonicMs ?? 0) + renewalPeriodMs(ttlMs);
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

  async #begin(signal: AbortSignal): Promise<void> {
    const { provider, task } = this.#options;
    const { hold, place } = task.state;
    const revision = await provider.revisionAt(place, { timeoutMs: task.ttlMs / 3, signal });
    if (revision === undefined) throw new Error('the state provider was set up anew meanwhile');
    this.#hold = { ...hold, revision };
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
