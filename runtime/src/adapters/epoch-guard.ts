/**
 * Makes a state provider of a store that may forget everything and count its revisions anew.
 *
 * The record `epoch` holds a random name, written by whoever first finds none. Every read takes it along, at the same
 * revision and in the same request; every transaction compares it. So what was read belongs to the epoch that it was
 * read under, and a transaction that was built on it cannot apply in another, even if the same revision comes again.
 *
 * Callers see one revision that only grows: each epoch adds to the revisions of the store what the ones before it had
 * reached. So a compared revision also tells which epoch it was read under.
 */
import type { ProviderStore, StoreRange, StoreReading } from '../ports/provider-store.ts';
import {
  type ProviderCallOptions,
  type ProviderChange,
  type ProviderEntry,
  ProviderError,
  type ProviderListing,
  type ProviderOutcome,
  type ProviderPlace,
  type ProviderTransaction,
  type StateProvider,
} from '../ports/state-provider.ts';

const EPOCH_KEY = 'epoch';
/** Others may create it, or the store may be emptied again, between two looks. */
const LOOKS = 3;

interface Epoch {
  readonly value: string;
  /** What is added to the store's revisions. */
  readonly offset: number;
}

export class EpochGuard implements StateProvider {
  readonly #store: ProviderStore;
  readonly #newEpoch: () => string;
  /** All that this client has seen, the present one last. */
  readonly #epochs: Epoch[] = [];
  /** Ends each watch that is open. */
  readonly #watches = new Set<(error: Error) => void>();
  #highest = 0;
  /** The store's own revision that was last seen in the present epoch. */
  #reached = 0;
  #doubted = false;

  constructor(store: ProviderStore, newEpoch: () => string) {
    this.#store = store;
    this.#newEpoch = newEpoch;
  }

  async get(key: string, options: ProviderCallOptions): Promise<ProviderEntry | undefined> {
    const { entries } = await this.#read([{ key }], options);
    return entries[0];
  }

  list(prefix: string | readonly string[], options: ProviderCallOptions): Promise<ProviderListing> {
    const prefixes = typeof prefix === 'string' ? [prefix] : prefix;
    return this.#read(
      prefixes.map((one) => ({ prefix: one })),
      options,
    );
  }

  async transact(
    transaction: ProviderTransaction,
    options: ProviderCallOptions,
  ): Promise<ProviderOutcome> {
    const { compare, writes, readAt } = transaction;
    const readAts = compare.map(({ revision }) => revision).filter((revision) => revision > 0);
    if (readAt !== undefined) readAts.push(readAt);
    const isBound = readAts.length > 0;
    if (!isBound && (this.#doubted || this.#epochs.length === 0)) {
      await this.#read([{ key: EPOCH_KEY }], options);
    }
    const epoch = this.#present();
    const reached = this.#reached;
    if (readAts.some((revision) => this.#epochOf(revision) !== epoch)) return { kind: 'conflict' };
    const outcome = await this.#store.transact(
      {
        equal: [{ key: EPOCH_KEY, value: epoch.value }],
        compare: compare.map(({ key, revision }) => ({
          key,
          revision: revision === 0 ? 0 : revision - epoch.offset,
        })),
        writes,
      },
      options,
    );
    if (outcome.kind === 'conflict') {
      // A caller who reads nothing would never learn of a new epoch.
      this.#doubted = true;
      return outcome;
    }
    if (epoch !== this.#present() || outcome.revision < reached) {
      throw new ProviderError('unknown', SET_UP_ANEW);
    }
    return { kind: 'applied', revision: this.#seen(epoch, outcome.revision) };
  }

  async watch(
    prefix: string,
    fromRevision: number,
    onChanges: (changes: readonly ProviderChange[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#epochs.length === 0) await this.#read([{ key: EPOCH_KEY }], WATCH_CHECK);
    const epoch = this.#epochOf(fromRevision);
    const lost = new AbortController();
    let why: Error | undefined;
    const lose = (error: Error): void => {
      why ??= error;
      lost.abort(error);
    };
    /** Until the epoch was read after the watch had begun: it may have begun in another store. */
    let held: ProviderChange[] | undefined = [];
    const deliver = (changes: readonly ProviderChange[]): void => {
      if (signal.aborted || lost.signal.aborted) return;
      if (held !== undefined) {
        held.push(...changes);
        return;
      }
      const shown = changes
        .filter(({ key }) => key !== EPOCH_KEY)
        .map((change) => ({ ...change, revision: this.#seen(epoch, change.revision) }));
      if (shown.length > 0) onChanges(shown);
    };
    const begin = async (): Promise<void> => {
      await this.#read([{ key: EPOCH_KEY }], { ...WATCH_CHECK, signal: lost.signal });
      const waiting = held ?? [];
      held = undefined;
      deliver(waiting);
    };
    const end = (): void => lost.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    this.#watches.add(lose);
    try {
      await this.#store.watch(
        prefix,
        fromRevision - epoch.offset,
        { onOpen: () => void begin().catch(lose), onChanges: deliver },
        lost.signal,
      );
      if (why !== undefined && !signal.aborted) throw why;
    } finally {
      this.#watches.delete(lose);
      signal.removeEventListener('abort', end);
      lost.abort();
    }
  }

  async placeOf(revision: number): Promise<ProviderPlace> {
    const { value, offset } = this.#epochOf(revision);
    return { epoch: value, revision: revision - offset };
  }

  async revisionAt(place: ProviderPlace): Promise<number> {
    // Should that epoch be over, no transaction applies in it, and the next reading tells of the present one.
    const known = this.#epochs.find(({ value }) => value === place.epoch);
    const epoch = known ?? this.#begin(place.epoch);
    // As if this client had seen it itself: a store that gives less then was brought back from a copy.
    if (epoch === this.#present()) this.#reached = Math.max(this.#reached, place.revision);
    return this.#seen(epoch, place.revision);
  }

  async check(options: ProviderCallOptions): Promise<readonly string[]> {
    return (await this.#store.check?.(options)) ?? [];
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #read(
    ranges: readonly StoreRange[],
    options: ProviderCallOptions,
  ): Promise<ProviderListing> {
    for (let look = 0; look < LOOKS; look++) {
      const seen = this.#epochs.length;
      const reached = this.#reached;
      const reading = await this.#store.read([{ key: EPOCH_KEY }, ...ranges], options);
      const value = reading.found[0]?.[0]?.value ?? null;
      const isSame = seen === this.#epochs.length && value === this.#epochs.at(-1)?.value;
      // Brought back from a copy: what it gives now, it has given before.
      const wentBack = isSame && reading.revision < reached;
      if (value !== null && !wentBack) return this.#listing(value, reading, seen);
      await this.#replace(value, options);
    }
    throw new ProviderError('refused', 'the state provider loses what is written to it');
  }

  /** Whether it is this client's or another's that holds now, the next reading shows. */
  async #replace(value: string | null, options: ProviderCallOptions): Promise<void> {
    const record = JSON.stringify({ v: 1, epoch: this.#newEpoch() });
    try {
      await this.#store.transact(
        {
          equal: [{ key: EPOCH_KEY, value }],
          compare: [],
          writes: [{ kind: 'put', key: EPOCH_KEY, value: record }],
        },
        options,
      );
    } catch (cause) {
      // For who reads, nothing that matters has happened.
      if (!(cause instanceof ProviderError)) throw cause;
      throw new ProviderError('refused', cause.message, { cause });
    }
  }

  #listing(value: string, reading: StoreReading, seen: number): ProviderListing {
    const isNew = value !== this.#epochs.at(-1)?.value;
    // An answer that was under way while another told of a new epoch: it is the older of the two.
    if (isNew && seen < this.#epochs.length) throw new ProviderError('refused', SET_UP_ANEW);
    if (isNew) this.#begin(value);
    this.#doubted = false;
    this.#reached = Math.max(this.#reached, reading.revision);
    const epoch = this.#present();
    const entries = reading.found
      .slice(1)
      .flat()
      .filter(({ key }) => key !== EPOCH_KEY)
      .map((entry) => ({ ...entry, revision: this.#seen(epoch, entry.revision) }));
    return { entries, revision: this.#seen(epoch, reading.revision) };
  }

  #begin(value: string): Epoch {
    // One is left out, so that the end of what an epoch gave, plus one, is still of that epoch.
    const offset = this.#epochs.length === 0 ? 0 : this.#highest + 1;
    const epoch = { value, offset };
    this.#epochs.push(epoch);
    this.#reached = 0;
    for (const lose of this.#watches) lose(new ProviderError('refused', SET_UP_ANEW));
    return epoch;
  }

  #seen(epoch: Epoch, revision: number): number {
    const shown = epoch.offset + revision;
    this.#highest = Math.max(this.#highest, shown);
    return shown;
  }

  #present(): Epoch {
    const epoch = this.#epochs.at(-1);
    if (epoch === undefined) throw new ProviderError('refused', 'nothing has been read yet');
    return epoch;
  }

  #epochOf(revision: number): Epoch {
    return this.#epochs.findLast(({ offset }) => revision > offset) ?? this.#present();
  }
}

const SET_UP_ANEW = 'the state provider was set up anew meanwhile';
/** Of the reading that a watch begins with. */
const WATCH_CHECK: ProviderCallOptions = { timeoutMs: 1000 };
