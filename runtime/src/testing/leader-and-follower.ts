/** The engine of a leader whose rows are acknowledged at once, and a follower that has applied all of them. */
import type { Transaction } from '../core/storage/engine.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { RowAccess } from '../services/request-storage.ts';

export class LeaderAndFollower implements RowAccess {
  readonly isWritable = true;
  readonly isReadable = true;
  readonly follower = new MemoryEngine();
  readonly #engine: MemoryEngine;

  constructor(createSpaces: (transaction: Transaction) => void, engine = new MemoryEngine()) {
    this.#engine = engine;
    const transaction = engine.begin();
    createSpaces(transaction);
    transaction.commit();
    this.endTick();
  }

  engine(): MemoryEngine {
    return this.#engine;
  }

  readable(): MemoryEngine {
    return this.#engine;
  }

  writable(): MemoryEngine {
    return this.#engine;
  }

  committed(): number {
    return 0;
  }

  unacknowledged(): number {
    return 0;
  }

  hold(): () => void {
    return () => undefined;
  }

  /** Only now the memory of what is gone is free, as in production. */
  endTick(): void {
    if (this.#engine.rows.count > 0) this.follower.apply(this.#engine.rows.take().payload);
    this.#engine.collectGarbage();
  }
}
