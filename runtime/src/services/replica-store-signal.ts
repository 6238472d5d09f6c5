/** Tells whoever waits that own rows were appended. */
import type { Clock } from '../foundation/clock.ts';

export class RowSignal {
  readonly #listeners = new Set<() => void>();

  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Until own rows are appended, but not for longer than `waitMs`. */
  async wait(clock: Clock, waitMs: number): Promise<void> {
    const ended = new AbortController();
    const listener = (): void => ended.abort('rows were appended');
    this.#listeners.add(listener);
    try {
      await clock.sleep(waitMs, ended.signal);
    } catch {
      // The wait ended early because there are rows: that is what it is for.
    } finally {
      this.#listeners.delete(listener);
    }
  }
}
