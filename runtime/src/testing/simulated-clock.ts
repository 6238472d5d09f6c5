import type { Clock } from '../foundation/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A clock that stands still until it is told to move. Same sleeps, same order, every run. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #timers: Timer[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallTime(): Date {
    return new Date(1_700_000_000_000 + this.#nowMs);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const timer: Timer = {
        dueMs: this.#nowMs + Math.max(0, delayMs),
        fire,
      };
      const abort = (): void => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        reject(signal?.reason as Error);
      };
      function fire(): void {
        signal?.removeEventListener('abort', abort);
        resolve();
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#timers.push(timer);
    });
  }

  /** Lets everything runnable run, then jumps to the next timer. False when none is left. */
  async next(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    const [first, ...others] = this.#timers;
    if (first === undefined) return false;
    // In order of creation, so that of two that are due at once the earlier comes first.
    const timer = others.reduce((soonest, other) => {
      return other.dueMs < soonest.dueMs ? other : soonest;
    }, first);
    this.#timers = this.#timers.filter((other) => other !== timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.fire();
    return true;
  }

  /** Runs all timers that are due within `durationMs`, then stands at its end. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const due = this.#timers.some((timer) => timer.dueMs <= endMs);
      if (!due) break;
      await this.next();
    }
    this.#nowMs = endMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
