/**
 * Holds requests back: to a steady rate, so that a bug of the operator cannot storm the API server, and all of them
 * while the server has asked to wait (429): pausing only the key that was answered would let the others go on.
 */
import type { Clock } from '@tonearm/runtime/foundation';

export interface RequestLimits {
  readonly perSecond: number;
  readonly burst: number;
}

export class RequestLimiter {
  readonly #clock: Clock;
  readonly #limits: RequestLimits;
  #tokens: number;
  #countedAtMs: number;
  #pausedUntilMs = 0;

  constructor(clock: Clock, limits: RequestLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#countedAtMs = clock.monotonicMs();
  }

  /** Resolves when a request may be sent. */
  async take(signal?: AbortSignal): Promise<void> {
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const waitMs = Math.max(this.#pausedUntilMs - nowMs, this.#claim(nowMs));
      if (waitMs <= 0) return;
      await this.#clock.sleep(waitMs, signal);
    }
  }

  pauseFor(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.monotonicMs() + durationMs);
  }

  /** Takes a token and answers 0, or takes none and answers how long one will need. */
  #claim(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return 0;
    const { perSecond, burst } = this.#limits;
    const grown = ((nowMs - this.#countedAtMs) / 1000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + grown);
    this.#countedAtMs = nowMs;
    if (this.#tokens < 1) return Math.max(1, Math.ceil(((1 - this.#tokens) / perSecond) * 1000));
    this.#tokens -= 1;
    return 0;
  }
}
