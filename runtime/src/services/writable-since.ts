/** Since when this instance takes writes, or takes none: what a promotion waits for, and what it has cost. */
import { z } from 'zod';
import type { Clock } from '../foundation/clock.ts';
import type { InternalHandler } from '../ports/peers.ts';

export const writableAnswerSchema = z.object({
  writable: z.boolean(),
  term: z.int(),
  /** How long this has been so. */
  forMs: z.number(),
});
export type WritableAnswer = z.infer<typeof writableAnswerSchema>;

export class WritableSince {
  readonly #clock: Clock;
  readonly #current: () => { readonly writable: boolean; readonly term: number };
  #sinceMs: number;

  constructor(clock: Clock, current: () => { readonly writable: boolean; readonly term: number }) {
    this.#clock = clock;
    this.#current = current;
    this.#sinceMs = clock.monotonicMs();
  }

  changed(): void {
    this.#sinceMs = this.#clock.monotonicMs();
  }

  readonly handle: InternalHandler = async (): Promise<WritableAnswer> => {
    return { ...this.#current(), forMs: this.#clock.monotonicMs() - this.#sinceMs };
  };
}
