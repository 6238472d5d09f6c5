import type { Clock } from '../foundation/clock.ts';

/** A sleep that somebody else can end. A wake-up while nobody sleeps ends the next sleep at once. */
export class WakeUp {
  readonly #clock: Clock;
  #pending = false;
  #end: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#pending = true;
    this.#end?.();
  }

  /** Resolves after the time, at a wake-up, or when the signal aborts. */
  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      const ended = new AbortController();
      this.#end = () => ended.abort();
      await this.#clock
        .sleep(delayMs, AbortSignal.any([ended.signal, signal]))
        .catch(() => undefined);
      this.#end = undefined;
      ended.abort();
    }
    this.#pending = false;
  }
}
