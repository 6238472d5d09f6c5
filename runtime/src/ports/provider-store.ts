/**
 * The server behind a state provider, as it is: its revisions begin anew when it is set up anew. Only `EpochGuard`
 * uses it; everybody else sees a `StateProvider`, whose revisions never come twice.
 */
import type {
  ProviderCallOptions,
  ProviderChange,
  ProviderCompare,
  ProviderEntry,
  ProviderOutcome,
  ProviderWrite,
} from './state-provider.ts';

/** One key, or all keys that begin with `prefix`. */
export type StoreRange = { readonly key: string } | { readonly prefix: string };

export interface StoreReading {
  /** Of each range, sorted by key; all as they were at one revision. */
  readonly found: readonly (readonly ProviderEntry[])[];
  readonly revision: number;
}

/** `value: null` demands that the key does not exist. */
export interface ValueCompare {
  readonly key: string;
  readonly value: string | null;
}

export interface StoreTransaction {
  readonly equal: readonly ValueCompare[];
  readonly compare: readonly ProviderCompare[];
  readonly writes: readonly ProviderWrite[];
}

export interface WatchListener {
  /** The server has begun the watch: nothing from `fromRevision` on is left out from here. */
  readonly onOpen: () => void;
  readonly onChanges: (changes: readonly ProviderChange[]) => void;
}

/** Promises what `StateProvider` promises, but for what the guard adds. */
export interface ProviderStore {
  read(ranges: readonly StoreRange[], options: ProviderCallOptions): Promise<StoreReading>;
  transact(transaction: StoreTransaction, options: ProviderCallOptions): Promise<ProviderOutcome>;
  watch(
    prefix: string,
    fromRevision: number,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void>;
  /** What is wrong with the server, in sentences for people. Absent where there is nothing to look at. */
  check?(options: ProviderCallOptions): Promise<readonly string[]>;
  close(): Promise<void>;
}
