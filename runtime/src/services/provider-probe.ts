/** Finds out whether the state provider answers this instance: by a linearizable read that has just failed, or not. */
import { providerKeys } from '../contract/provider-records.ts';
import type { Clock } from '../foundation/clock.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { isProviderTrouble } from './stored-records.ts';

export interface ProviderProbeOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly ttlMs: number;
}

export class ProviderProbe {
  readonly #options: ProviderProbeOptions;
  #failedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<boolean> | undefined;

  constructor(options: ProviderProbeOptions) {
    this.#options = options;
  }

  /** A failure counts for a quarter of the time to live, so that it is not read for every question. */
  async isAway(signal: AbortSignal): Promise<boolean> {
    const { clock, ttlMs } = this.#options;
    if (clock.monotonicMs() < this.#failedMs + ttlMs / 4) return true;
    this.#running ??= this.#read(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #read(signal: AbortSignal): Promise<boolean> {
    const { provider, clock, ttlMs } = this.#options;
    try {
      await provider.get(providerKeys.identity, { timeoutMs: ttlMs / 5, signal });
      this.#failedMs = Number.NEGATIVE_INFINITY;
      return false;
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      this.#failedMs = clock.monotonicMs();
      return true;
    }
  }
}
