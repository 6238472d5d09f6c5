/**
 * What all simulated state providers of one cluster share: a linearizable store with one revision counter.
 *
 * It keeps its whole history, so that a watch can begin at any revision, until `compact` or `forget` takes it away.
 */
import type { StoreTransaction } from '../ports/provider-store.ts';
import type {
  ProviderChange,
  ProviderEntry,
  ProviderListing,
  ProviderOutcome,
} from '../ports/state-provider.ts';

export class SimulatedStore {
  #entries = new Map<string, ProviderEntry>();
  #history: ProviderChange[] = [];
  #revision = 0;
  #compacted = 0;
  #epoch = 0;
  readonly #watchers = new Set<() => void>();

  get revision(): number {
    return this.#revision;
  }

  /** Grows with each `forget`: watches of an earlier epoch are lost. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Changes up to this revision are gone. */
  get compacted(): number {
    return this.#compacted;
  }

  get(key: string): ProviderEntry | undefined {
    return this.#entries.get(key);
  }

  list(prefix: string): ProviderListing {
    const entries = [...this.#entries.values()]
      .filter((entry) => entry.key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  transact(transaction: Partial<StoreTransaction>): ProviderOutcome {
    const { equal = [], compare = [], writes = [] } = transaction;
    const fits =
      equal.every(({ key, value }) => (this.#entries.get(key)?.value ?? null) === value) &&
      compare.every(({ key, revision }) => (this.#entries.get(key)?.revision ?? 0) === revision);
    if (!fits) return { kind: 'conflict' };
    const revision = this.#revision + 1;
    for (const write of writes) {
      const value = write.kind === 'put' ? write.value : null;
      if (value === null && !this.#entries.has(write.key)) continue;
      if (value === null) this.#entries.delete(write.key);
      else this.#entries.set(write.key, { key: write.key, value, revision });
      this.#history.push({ key: write.key, value, revision });
      this.#revision = revision;
    }
    this.#wake();
    return { kind: 'applied', revision: this.#revision };
  }

  changesFrom(revision: number, prefix: string): readonly ProviderChange[] {
    return this.#history.filter(
      (change) => change.revision >= revision && change.key.startsWith(prefix),
    );
  }

  /** Calls `wake` after every change of anything here; returns the function that ends it. */
  subscribe(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => this.#watchers.delete(wake);
  }

  /** Drops the history up to the present: a watch that begins earlier is refused. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  /** The store is set up anew: everything is gone, and revisions begin again, or after one that was given before. */
  forget(revision = 0): void {
    this.#entries = new Map();
    this.#history = [];
    this.#revision = revision;
    this.#compacted = revision;
    this.#epoch += 1;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }
}
