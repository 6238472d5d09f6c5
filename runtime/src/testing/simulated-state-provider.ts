/**
 * One instance's client of a `SimulatedStore`, with the faults of a network between them.
 *
 * A request that timed out may still be applied later, and a reply may be lost after its effect: both look the same
 * to the caller, as `unknown`. It passes the contract suite that the real adapters pass.
 */
import { EpochGuard } from '../adapters/epoch-guard.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type {
  ProviderStore,
  StoreRange,
  StoreReading,
  StoreTransaction,
  WatchListener,
} from '../ports/provider-store.ts';
import {
  type ProviderCallOptions,
  ProviderError,
  type ProviderOutcome,
} from '../ports/state-provider.ts';
import type { SimulatedStore } from './simulated-store.ts';

export interface ProviderFaults {
  /** `refused`: connections are refused at once; `silent`: nothing arrives, calls end by their timeout. */
  reach: 'ok' | 'refused' | 'silent';
  /** Each way takes a random time up to this. */
  delayMs: number;
  /** Probability that a request is lost before its effect. */
  loseRequest: number;
  /** Probability that a reply is lost after the effect of its request. */
  loseReply: number;
}

export interface SimulatedStateProviderOptions {
  readonly store: SimulatedStore;
  /** Begins every key of this client in the store; empty when absent. */
  readonly prefix?: string;
  /** The client's own clock: its timeouts run on it. */
  readonly clock: Clock;
  readonly random: Random;
  /** The clock of the network; that of the client when absent. */
  readonly network?: Clock;
  /** Awaited before the client learns anything: a paused process learns nothing until it runs again. */
  readonly deliver?: () => Promise<void>;
  /** A planted bug: what stands between this client and the store. */
  readonly tampered?: (store: ProviderStore) => ProviderStore;
  /** Sees every transaction at the moment of its effect, even if its reply is lost afterwards. */
  readonly onTransaction?: (transaction: StoreTransaction, outcome: ProviderOutcome) => void;
}

export class SimulatedStateProvider extends EpochGuard {
  readonly #client: SimulatedClient;

  constructor(options: SimulatedStateProviderOptions) {
    const client = new SimulatedClient(options);
    super(options.tampered?.(client) ?? client, () => options.random.uuid());
    this.#client = client;
  }

  get faults(): ProviderFaults {
    return this.#client.faults;
  }

  /** Every watch that is open now is lost. */
  breakWatches(): void {
    this.#client.breakWatches();
  }
}

class SimulatedClient implements ProviderStore {
  readonly faults: ProviderFaults = { reach: 'ok', delayMs: 0, loseRequest: 0, loseReply: 0 };
  readonly #store: SimulatedStore;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #network: Clock;
  readonly #random: Random;
  readonly #deliver: () => Promise<void>;
  readonly #onTransaction: NonNullable<SimulatedStateProviderOptions['onTransaction']>;
  readonly #closing = new AbortController();
  #breaks = new AbortController();

  constructor(options: SimulatedStateProviderOptions) {
    this.#store = options.store;
    this.#prefix = options.prefix ?? '';
    this.#clock = options.clock;
    this.#network = options.network ?? options.clock;
    this.#random = options.random;
    this.#deliver = options.deliver ?? (() => Promise.resolve());
    this.#onTransaction = options.onTransaction ?? (() => undefined);
  }

  read(ranges: readonly StoreRange[], options: ProviderCallOptions): Promise<StoreReading> {
    return this.#call('refused', options, () => ({
      found: ranges.map((range) => {
        const isKey = 'key' in range;
        const { entries } = this.#store.list(this.#prefix + (isKey ? range.key : range.prefix));
        const relative = entries.map((entry) => this.#relative(entry));
        return isKey ? relative.filter(({ key }) => key === range.key) : relative;
      }),
      revision: this.#store.revision,
    }));
  }

  transact(transaction: StoreTransaction, options: ProviderCallOptions): Promise<ProviderOutcome> {
    const whole = <T extends { readonly key: string }>(item: T): T => ({
      ...item,
      key: this.#prefix + item.key,
    });
    return this.#call('unknown', options, () => {
      const outcome = this.#store.transact({
        equal: transaction.equal.map(whole),
        compare: transaction.compare.map(whole),
        writes: transaction.writes.map(whole),
      });
      this.#onTransaction(transaction, outcome);
      return outcome;
    });
  }

  async watch(
    prefix: string,
    fromRevision: number,
    { onOpen, onChanges }: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    const store = this.#store;
    const breaks = this.#breaks.signal;
    const signals = [signal, breaks, this.#closing.signal];
    const open = (): boolean => signals.every(({ aborted }) => !aborted);
    const epoch = store.epoch;
    await this.#deliver();
    let next = fromRevision;
    let isTold = false;
    while (!signal.aborted) {
      const lost = this.#watchLost(epoch, next, breaks);
      if (lost !== undefined) throw new ProviderError('refused', lost);
      if (!isTold) onOpen();
      isTold = true;
      const changes = store.changesFrom(next, this.#prefix + prefix);
      if (changes.length === 0) {
        await changed(store, signals);
      } else {
        next = store.revision + 1;
        await this.#travel();
        await this.#deliver();
        // A watch that has ended meanwhile must not be told of anything more.
        if (open()) onChanges(changes.map((change) => this.#relative(change)));
      }
    }
  }

  /** Every watch that is open now is lost. */
  breakWatches(): void {
    this.#breaks.abort();
    this.#breaks = new AbortController();
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  #relative<T extends { readonly key: string }>(entry: T): T {
    return { ...entry, key: entry.key.slice(this.#prefix.length) };
  }

  #watchLost(epoch: number, next: number, broken: AbortSignal): string | undefined {
    if (this.#closing.signal.aborted) return 'the client is closed';
    if (broken.aborted || this.faults.reach !== 'ok') return 'the watch was disconnected';
    if (epoch !== this.#store.epoch) return 'the store was set up anew';
    if (next <= this.#store.compacted) return `revision ${next} was compacted`;
    if (next > this.#store.revision + 1) {
      return `revision ${next} is ahead of the store, which is at ${this.#store.revision}`;
    }
    return undefined;
  }

  async #call<T>(
    failure: 'refused' | 'unknown',
    options: ProviderCallOptions,
    effect: () => T,
  ): Promise<T> {
    if (this.#closing.signal.aborted) throw new ProviderError('refused', 'the client is closed');
    if (this.faults.reach === 'refused') {
      throw new ProviderError('refused', 'the state provider refused the connection');
    }
    const finished = new AbortController();
    let hasEnded = false;
    // Not `AbortSignal.any`: what listens to one of its signals is kept for ever.
    const end = (): void => finished.abort('the call was given up');
    const signals = [
      this.#closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ];
    for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    if (signals.some(({ aborted }) => aborted)) end();
    const tooLate = this.#clock.sleep(options.timeoutMs, finished.signal).then(
      () => {
        throw new ProviderError(failure, `no answer within ${options.timeoutMs} ms`);
      },
      (cause: unknown) => {
        // Then nobody looks at this any more.
        if (hasEnded) return nothing<T>();
        throw new ProviderError(failure, 'the call was given up', { cause });
      },
    );
    try {
      return await Promise.race([this.#exchange(effect), tooLate]);
    } finally {
      hasEnded = true;
      // With a reason of its own: making the default one takes longer than the rest of a call.
      finished.abort('the call has ended');
      for (const signal of signals) signal.removeEventListener('abort', end);
      await this.#deliver();
    }
  }

  async #exchange<T>(effect: () => T): Promise<T> {
    await this.#travel();
    if (this.faults.reach !== 'ok' || this.#chance(this.faults.loseRequest)) return nothing();
    const result = effect();
    await this.#travel();
    if (this.#chance(this.faults.loseReply)) return nothing();
    return result;
  }

  async #travel(): Promise<void> {
    const delayMs = this.#random.fraction() * this.faults.delayMs;
    if (delayMs > 0) await this.#network.sleep(delayMs);
  }

  #chance(probability: number): boolean {
    return probability > 0 && this.#random.fraction() < probability;
  }
}

/** A message that never arrives. */
function nothing<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

/** Resolves at the next change of the store, or when one of the signals aborts. */
function changed(store: SimulatedStore, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      unsubscribe();
      for (const signal of signals) signal.removeEventListener('abort', end);
      resolve();
    };
    const unsubscribe = store.subscribe(end);
    for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    if (signals.some(({ aborted }) => aborted)) end();
  });
}
