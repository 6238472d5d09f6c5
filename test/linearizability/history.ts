/** Records what clients do, in the order in which it happens. */
import type { Operation } from './operation.ts';

export type Outcome<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** It may take effect at any later time, or never. */
  | { readonly kind: 'unknown' }
  /** Known not to have happened. */
  | { readonly kind: 'refused' };

export class History<Call, Answer> {
  readonly #nowMs: () => number;
  readonly #operations = new Map<number, Operation<Call, Answer>>();
  #events = 0;

  /** `nowMs` is for the story alone; the order is that of the calls of this object. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get operations(): readonly Operation<Call, Answer>[] {
    return [...this.#operations.values()];
  }

  /** To be called before anything is sent; gives what to call with the outcome, at once when it is known. */
  invoke(client: string, key: string, call: Call): (outcome: Outcome<Answer>) => void {
    const invoked = ++this.#events;
    const invokedMs = this.#nowMs();
    const operation = { client, key, call, invoked, invokedMs };
    this.#operations.set(invoked, operation);
    return (outcome) => {
      if (!this.#operations.has(invoked)) return;
      if (outcome.kind === 'refused') this.#operations.delete(invoked);
      if (outcome.kind !== 'answered') return;
      const returned = { at: ++this.#events, answer: outcome.answer };
      this.#operations.set(invoked, { ...operation, returned, returnedMs: this.#nowMs() });
    };
  }

  /** Begins anew: what was asked before is no part of it, whenever it is answered. */
  takeAll(): readonly Operation<Call, Answer>[] {
    const { operations } = this;
    this.#operations.clear();
    return operations;
  }
}
