/**
 * Where leadership and decisions are kept: a small linearizable store with compare-and-set and watches.
 *
 * Keys are relative to the cluster's prefix. `revision` counts the changes of the whole store; an entry's `revision`
 * is that of its last change. A client never gives one twice, even if the store was set up anew and counts from the
 * beginning; to another client, or process, its revisions mean nothing.
 * Everything safe is built from `transact`: compare revisions, then write all or nothing.
 * A call rejects with `ProviderError`; after `kind: 'unknown'` the outcome of a transaction is not known.
 */
export interface ProviderEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** `revision: 0` demands that the key does not exist. */
export interface ProviderCompare {
  readonly key: string;
  readonly revision: number;
}

export type ProviderWrite =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly key: string };

/**
 * It applies only in the store that its compared revisions were read from, never in one that was set up anew since.
 * An absent key has no revision: what is built on absences alone names, as `readAt`, the revision of the listing that
 * showed them.
 */
export interface ProviderTransaction {
  readonly compare: readonly ProviderCompare[];
  readonly writes: readonly ProviderWrite[];
  readonly readAt?: number;
}

/** `revision` is the store's after the transaction: that of every entry it wrote. */
export type ProviderOutcome =
  | { readonly kind: 'applied'; readonly revision: number }
  | { readonly kind: 'conflict' };

/** `value: null` = deleted. */
export interface ProviderChange {
  readonly key: string;
  readonly value: string | null;
  readonly revision: number;
}

export interface ProviderListing {
  readonly entries: readonly ProviderEntry[];
  /** The store's revision at which this was read: watch from the next one to miss nothing. */
  readonly revision: number;
}

/** A revision as every client of the store would know it: the epoch that it was given in, and the store's own count. */
export interface ProviderPlace {
  readonly epoch: string;
  readonly revision: number;
}

export interface StateProvider {
  /** Linearizable read of one key. */
  get(key: string, options: ProviderCallOptions): Promise<ProviderEntry | undefined>;
  /** Linearizable read of all keys that begin with `prefix`, or one of several, at one revision; of each sorted by key. */
  list(prefix: string | readonly string[], options: ProviderCallOptions): Promise<ProviderListing>;
  transact(
    transaction: ProviderTransaction,
    options: ProviderCallOptions,
  ): Promise<ProviderOutcome>;
  /**
   * Calls `onChanges` with every change of keys below `prefix` from `fromRevision` on, in order, none left out.
   * Resolves when the signal aborts; rejects when the watch is lost (disconnected, or the revision was compacted):
   * the caller lists again and watches from there.
   */
  watch(
    prefix: string,
    fromRevision: number,
    onChanges: (changes: readonly ProviderChange[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Where a revision is that this client has given, so that another client can go on from there. */
  placeOf(revision: number): Promise<ProviderPlace>;
  /** What this client calls that revision; without asking the store, which may have been set up anew since. */
  revisionAt(place: ProviderPlace): Promise<number>;
  /** What is wrong with the server itself, in sentences for people; never rejects. Asked now and then, by one instance. */
  check?(options: ProviderCallOptions): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface ProviderCallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** `refused`: certainly nothing happened. `unknown`: it may have happened, the answer was lost. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly kind: 'refused' | 'unknown';

  constructor(
    kind: 'refused' | 'unknown',
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.kind = kind;
  }
}
