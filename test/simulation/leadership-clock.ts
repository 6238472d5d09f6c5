/**
 * The clock of one simulated instance: it runs at its own rate, and a stopped process learns of nothing until it is
 * continued. A dead one never learns of anything again.
 */
import type { Clock } from '../../runtime/src/foundation/clock.ts';

export class InstanceClock implements Clock {
  readonly #world: Clock;
  readonly #rate: number;
  readonly #startMs: number;
  #resume: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(world: Clock, rate: number, startMs: number) {
    this.#world = world;
    this.#rate = rate;
    this.#startMs = startMs;
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  monotonicMs(): number {
    return this.#startMs + this.#world.monotonicMs() * this.#rate;
  }

  wallTime(): Date {
    return new Date(1_700_000_000_000 + this.monotonicMs());
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    await this.#world.sleep(delayMs / this.#rate, signal);
    await this.running();
  }

  stop(): void {
    this.#stopped ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  continue(): void {
    this.#stopped = undefined;
    this.#resume?.();
  }

  /** Resolves when the process runs. */
  async running(): Promise<void> {
    while (this.#stopped !== undefined) await this.#stopped;
  }
}
