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
      const end = (): void => ended.abort('woken');
      this.#end = end;
      // Not `AbortSignal.any`, which costs more than the sleep and is kept for as long as somebody listens.
      signal.addEventListener('abort', end, { once: true });
      await this.#clock.sleep(delayMs, ended.signal).catch(() => undefined);
      signal.removeEventListener('abort', end);
      this.#end = undefined;
    }
    this.#pending = false;
  }
}
