/**
 * Which keys need work. A key is in it once, however often it was added, and is never given to two workers: one that
 * is added while it is worked on comes again afterwards. Failures come back later and later; success forgets them.
 */
import type { Clock } from '@tonearm/runtime/foundation';

/** `low` is for what nobody waits for: the first list, periodic checks. */
export type Priority = 'normal' | 'low';

export interface QueueSizes {
  readonly ready: number;
  readonly delayed: number;
  readonly inWork: number;
}

const BACKOFF_MS_MIN = 5;
/** Longer, and a user who has repaired something waits for the operator to notice. */
const BACKOFF_MS_MAX = 60_000;

export class WorkQueue {
  readonly #clock: Clock;
  readonly #ready: Readonly<Record<Priority, Set<string>>> = { normal: new Set(), low: new Set() };
  readonly #inWork = new Set<string>();
  /** Added while in work. */
  readonly #again = new Map<string, Priority>();
  /** Key → when. */
  readonly #delayed = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.#inWork.has(key)) {
      const known = this.#again.get(key);
      this.#again.set(key, known === 'normal' ? known : priority);
      return;
    }
    if (this.#ready.normal.has(key)) return;
    if (priority === 'normal') this.#ready.low.delete(key);
    this.#ready[priority].add(key);
    this.#wake();
  }

  /** Of several times for one key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonicMs() + delayMs;
    this.#delayed.set(key, Math.min(dueMs, this.#delayed.get(key) ?? dueMs));
    this.#wake();
  }

  /** After a failure. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** failures));
  }

  /** After a success: the next failure counts as the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, for one worker, which must call `done`; rejects when the signal aborts. */
  async take(signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      const waitMs = this.#promote();
      const key = this.#next();
      if (key !== undefined) return key;
      await this.#wait(waitMs, signal);
    }
  }

  done(key: string): void {
    this.#inWork.delete(key);
    const priority = this.#again.get(key);
    this.#again.delete(key);
    if (priority !== undefined) this.add(key, priority);
  }

  sizes(): QueueSizes {
    return {
      ready: this.#ready.normal.size + this.#ready.low.size,
      delayed: this.#delayed.size,
      inWork: this.#inWork.size,
    };
  }

  /** Makes ready what is due, and answers how long the next will take, if there is one. */
  #promote(): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    let nextMs: number | undefined;
    for (const [key, dueMs] of [...this.#delayed]) {
      if (dueMs > nowMs) {
        nextMs = Math.min(nextMs ?? dueMs, dueMs);
        continue;
      }
      this.#delayed.delete(key);
      this.add(key);
    }
    return nextMs === undefined ? undefined : nextMs - nowMs;
  }

  #next(): string | undefined {
    for (const ready of [this.#ready.normal, this.#ready.low]) {
      const [key] = ready;
      if (key === undefined) continue;
      ready.delete(key);
      this.#inWork.add(key);
      return key;
    }
    return undefined;
  }

  /** Until something changes or the time is over. */
  async #wait(delayMs: number | undefined, signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const stop = (): void => timer.abort(new Error('woken'));
    this.#waiting.add(stop);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (delayMs === undefined) await aborted(timer.signal);
      else await this.#clock.sleep(delayMs, timer.signal);
    } catch {
      // Woken early, which is what the signal is for.
    } finally {
      this.#waiting.delete(stop);
      signal.removeEventListener('abort', stop);
    }
  }

  #wake(): void {
    for (const stop of this.#waiting) stop();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
