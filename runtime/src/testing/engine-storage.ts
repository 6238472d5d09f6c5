/** The storage of a leader without its log and its followers: what roles and services do with rows is seen at once. */
import type { Reader, Transaction } from '../core/storage/engine.ts';
import { ReferenceEngine } from '../core/storage/reference-engine.ts';
import type { SpaceStorage } from '../services/space-access.ts';

export class EngineStorage implements SpaceStorage {
  readonly #engine = new ReferenceEngine();
  isWritable = true;
  /** Transactions that changed something. */
  writes = 0;

  /** Another instance, which has all rows of this one's log. */
  follower(): EngineStorage {
    const follower = new EngineStorage();
    follower.#engine.apply(this.#engine.rows.take().payload);
    return follower;
  }

  async write<T>(work: (transaction: Transaction) => T): Promise<T> {
    const transaction = this.#engine.begin();
    try {
      const result = work(transaction);
      if (transaction.commit() > 0) this.writes += 1;
      return result;
    } catch (error) {
      transaction.rollback();
      throw error;
    }
  }

  async makeIndexes(): Promise<() => void> {
    return () => undefined;
  }

  async read<T>(work: (reader: Reader) => T): Promise<T> {
    const transaction = this.#engine.begin();
    try {
      return work(transaction);
    } finally {
      transaction.rollback();
    }
  }
}
