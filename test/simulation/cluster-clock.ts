/**
 * The clocks of one machine: they run at the machine's own rate, and its monotonic one stands still while the machine
 * is suspended, as that of Linux does.
 */
import type { Clock } from '../../runtime/src/foundation/clock.ts';

export class MachineClock implements Clock {
  readonly #world: Clock;
  readonly #rate: number;
  readonly #startMs: number;
  #suspendedMs = 0;

  constructor(world: Clock, rate: number, startMs: number) {
    this.#world = world;
    this.#rate = rate;
    this.#startMs = startMs;
  }

  monotonicMs(): number {
    return this.#startMs + this.#world.monotonicMs() * this.#rate - this.#suspendedMs;
  }

  wallTime(): Date {
    return new Date(1_700_000_000_000 + this.#world.monotonicMs() * this.#rate);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#world.sleep(delayMs / this.#rate, signal);
  }

  /** The machine was suspended for so long, and runs again now. */
  resumed(suspendedMs: number): void {
    this.#suspendedMs += suspendedMs * this.#rate;
  }
}
