/** The stateboard's linearizable store: one transaction at a time, visible once it is on disk. */
import type { StoreRange, StoreReading, StoreTransaction } from '../ports/provider-store.ts';
import type { ProviderChange, ProviderEntry, ProviderOutcome } from '../ports/state-provider.ts';
import { applyWrites, Journal, type JournalState, type JournalWrite } from './journal.ts';

export interface StateboardStoreOptions {
  readonly workdir: string;
  /** So many past changes can be watched. */
  readonly historyLength?: number;
  /** And so many bytes of them. */
  readonly historyBytes?: number;
  /** The disk has failed, and what is on it is not known: from here on nothing may be answered, nor read. */
  readonly onFailure?: (error: Error) => void;
}

export class StateboardStore {
  readonly #journal: Journal;
  readonly #entries: Map<string, ProviderEntry>;
  readonly #historyLength: number;
  readonly #historyBytes: number;
  readonly #onFailure: (error: Error) => void;
  readonly #listeners = new Set<() => void>();
  #history: ProviderChange[] = [];
  /** Characters of the values in the history. */
  #held = 0;
  #revision: number;
  #compacted: number;
  #tail: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;

  private constructor(journal: Journal, state: JournalState, options: StateboardStoreOptions) {
    this.#journal = journal;
    this.#entries = new Map(state.entries);
    this.#revision = state.revision;
    this.#compacted = state.revision;
    this.#historyLength = options.historyLength ?? 10_000;
    this.#historyBytes = options.historyBytes ?? 16_000_000;
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  static async open(options: StateboardStoreOptions): Promise<StateboardStore> {
    const { journal, state } = await Journal.open(options.workdir);
    return new StateboardStore(journal, state, options);
  }

  get revision(): number {
    return this.#revision;
  }

  /** Changes up to this revision can no longer be watched. */
  get compacted(): number {
    return this.#compacted;
  }

  read(ranges: readonly StoreRange[]): StoreReading {
    if (this.#failure !== undefined) throw this.#failure;
    return { found: ranges.map((range) => this.#range(range)), revision: this.#revision };
  }

  transact(transaction: StoreTransaction): Promise<ProviderOutcome> {
    const outcome = this.#tail.then(() => this.#apply(transaction));
    this.#tail = outcome.catch(() => undefined);
    return outcome;
  }

  changesFrom(revision: number, prefix: string): readonly ProviderChange[] {
    // From the end: a watcher is nearly always as far as the store, and there may be hundreds.
    const before = this.#history.findLastIndex((change) => change.revision < revision);
    return this.#history.slice(before + 1).filter(({ key }) => key.startsWith(prefix));
  }

  /** Calls `listener` after every change; returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Folds the journal into the state and drops the history. */
  compact(): Promise<void> {
    const done = this.#tail.then(async () => {
      this.#compacted = this.#revision;
      this.#history = [];
      this.#held = 0;
      await this.#journal.compact({ revision: this.#revision, entries: this.#entries });
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#journal.close();
  }

  #range(range: StoreRange): readonly ProviderEntry[] {
    if ('key' in range) {
      const entry = this.#entries.get(range.key);
      return entry === undefined ? [] : [entry];
    }
    return [...this.#entries.values()]
      .filter((entry) => entry.key.startsWith(range.prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async #apply(transaction: StoreTransaction): Promise<ProviderOutcome> {
    if (this.#failure !== undefined) throw this.#failure;
    const { equal, compare } = transaction;
    const fits =
      equal.every(({ key, value }) => (this.#entries.get(key)?.value ?? null) === value) &&
      compare.every(({ key, revision }) => (this.#entries.get(key)?.revision ?? 0) === revision);
    if (!fits) return { kind: 'conflict' };
    const writes = this.#effective(transaction);
    if (writes.length === 0) return { kind: 'applied', revision: this.#revision };
    const revision = this.#revision + 1;
    await this.#onDisk(() => this.#journal.append(revision, writes));
    applyWrites(this.#entries, revision, writes);
    this.#remember(revision, writes);
    await this.#onDisk(() => this.#journal.compactWhenLarge({ revision, entries: this.#entries }));
    return { kind: 'applied', revision };
  }

  /** What a failed write left on the disk is not known: nothing may be answered from here on. */
  async #onDisk(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `the working directory cannot be written (${why}); restart when the disk is well`;
      this.#failure = new Error(message, { cause });
      this.#onFailure(this.#failure);
      throw this.#failure;
    }
  }

  /** A delete of a key that does not exist changes nothing. */
  #effective(transaction: StoreTransaction): readonly JournalWrite[] {
    return transaction.writes.flatMap((write): JournalWrite[] => {
      if (write.kind === 'put') return [[write.key, write.value]];
      return this.#entries.has(write.key) ? [[write.key, null]] : [];
    });
  }

  #remember(revision: number, writes: readonly JournalWrite[]): void {
    this.#revision = revision;
    this.#history.push(...writes.map(([key, value]) => ({ key, value, revision })));
    for (const [, value] of writes) this.#held += value?.length ?? 0;
    this.#forgetOld();
    for (const listener of this.#listeners) listener();
  }
  /** Whole revisions: who watches from one gets all of its changes. */
  #forgetOld(): void {
    let count = 0;
    while (
      count < this.#history.length &&
      (this.#history.length - count > this.#historyLength || this.#held > this.#historyBytes)
    ) {
      const { revision } = this.#history[count] ?? { revision: 0 };
      for (; this.#history[count]?.revision === revision; count++) {
        this.#held -= this.#history[count]?.value?.length ?? 0;
      }
      this.#compacted = revision;
    }
    if (count > 0) this.#history.splice(0, count);
  }
}
