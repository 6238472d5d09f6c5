import type { Clock } from '../foundation/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export interface SimulatedClockOptions {
  /**
   * Whatever runs on this clock waits for nothing but it and promises: then a turn of the event loop at every event is
   * waste, and only some are taken. In those, a rejection that nobody handles ends the process, as it would in earnest.
   */
  readonly isAlone?: boolean;
}

/** Of a clock that is alone: one turn of the event loop in so many events. */
const EVENTS_IN_A_TURN = 16;

/** A clock that stands still until it is told to move. Same sleeps, same order, every run. */
export class SimulatedClock implements Clock {
  readonly #eventsInTurn: number;
  #nowMs = 0;
  #events = 0;
  /** In order of creation, so that of two that are due at once the earlier comes first. */
  readonly #timers: Timer[] = [];

  constructor({ isAlone = false }: SimulatedClockOptions = {}) {
    this.#eventsInTurn = isAlone ? EVENTS_IN_A_TURN : 1;
  }

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
        this.#remove(this.#timers.indexOf(timer));
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
    await this.#settled();
    const index = this.#soonest();
    const timer = this.#timers[index];
    if (timer === undefined) return false;
    this.#remove(index);
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

  /** Everything runnable has run: a tick begins when no promise has anything to do any more. */
  #settled(): Promise<void> {
    this.#events += 1;
    const isTurn = this.#events % this.#eventsInTurn === 0;
    return new Promise((resolve) => (isTurn ? setImmediate(resolve) : process.nextTick(resolve)));
  }

  #soonest(): number {
    let soonest = 0;
    for (let index = 1; index < this.#timers.length; index++) {
      if (this.#dueMs(index) < this.#dueMs(soonest)) soonest = index;
    }
    return soonest;
  }

  #dueMs(index: number): number {
    return this.#timers[index]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  #remove(index: number): void {
    if (index >= 0) this.#timers.splice(index, 1);
  }
}
