import type { Logger } from './logger.ts';

/**
 * Every promise that nobody awaits is given to a registry, by name.
 *
 * A task that rejects for another reason than the registry's own abort is a bug or a lost part of the process:
 * it is logged and `onFailure` ends the process, rather than leaving it half alive.
 */
export class TaskRegistry {
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #logger: Logger;
  readonly #onFailure: (name: string, error: unknown) => void;

  constructor(logger: Logger, onFailure: (name: string, error: unknown) => void) {
    this.#logger = logger;
    this.#onFailure = onFailure;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Runs `task` in the background; its signal aborts when the registry closes. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    const running = this.#guard(name, task).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Aborts every task and waits until all have ended. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('closing'));
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #guard(name: string, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await task(this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#logger.error({ task: name, error }, 'a background task failed');
      this.#onFailure(name, error);
    }
  }
}
