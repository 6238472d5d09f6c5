/** The lease record of one replica set: reads it, and writes it by comparing its revision. */
import { type Lease, leaseSchema, providerKeys } from '../contract/provider-records.ts';
import {
  attemptApplied,
  attemptSent,
  type LeaseEntry,
  type LeaseHold,
  type Moment,
  recordRead,
} from '../core/failover/lease-hold.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import {
  ProviderError,
  type ProviderOutcome,
  type ProviderTransaction,
  type StateProvider,
} from '../ports/state-provider.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface LeaseRecordOptions {
  readonly provider: Pick<StateProvider, 'get' | 'transact'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly replicaSetUuid: string;
  readonly holder: string;
  readonly ttlMs: number;
}

/** Where the hold is kept that is renewed. */
export interface HoldSlot {
  /** Undefined once it has ended; it may, while an answer is awaited. */
  hold(): LeaseHold | undefined;
  /** `isNews`: the outcome of an attempt is known, or it is known that none has changed anything. */
  set(hold: LeaseHold, isNews: boolean): void;
  lost(reason: string): void;
}

export class LeaseRecord {
  readonly #options: LeaseRecordOptions;
  readonly #key: string;

  constructor(options: LeaseRecordOptions) {
    this.#options = options;
    this.#key = providerKeys.lease(options.replicaSetUuid);
  }

  /** One attempt to renew; when its outcome is unknown the record is read. */
  async renew(slot: HoldSlot, signal: AbortSignal): Promise<void> {
    const before = slot.hold();
    if (before === undefined) return;
    const { term, incarnation, revision } = before;
    const nonce = this.#options.random.uuid();
    slot.set(attemptSent(before, nonce, this.now()), false);
    const lease = this.lease({ term, incarnation, nonce, released: false });
    const outcome = await this.put(revision, lease, signal);
    if (outcome?.kind !== 'applied') {
      await this.#readBack(slot, term, signal);
      return;
    }
    const hold = slot.hold();
    if (hold?.term === term) slot.set(attemptApplied(hold, nonce, outcome.revision), true);
  }

  async read(signal: AbortSignal): Promise<LeaseEntry | undefined> {
    const { provider, ttlMs } = this.#options;
    const entry = await provider.get(this.#key, { timeoutMs: ttlMs / 3, signal });
    return entry && { lease: parseRecord(entry, leaseSchema), revision: entry.revision };
  }

  /** Undefined when the outcome is not known, or nothing happened. */
  async put(
    revision: number,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<ProviderOutcome | undefined> {
    const transaction: ProviderTransaction = {
      compare: [{ key: this.#key, revision }],
      writes: [{ kind: 'put', key: this.#key, value: JSON.stringify(lease) }],
    };
    const options = { timeoutMs: this.#options.ttlMs / 3, signal };
    try {
      return await this.#options.provider.transact(transaction, options);
    } catch (error) {
      if (error instanceof ProviderError || isProviderTrouble(error)) return undefined;
      throw error;
    }
  }

  lease(record: Pick<Lease, 'term' | 'incarnation' | 'nonce' | 'released'>): Lease {
    const { term, incarnation, nonce, released } = record;
    return { v: 1, term, holder: this.#options.holder, incarnation, nonce, released };
  }

  now(): Moment {
    const { clock } = this.#options;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallTime().getTime() };
  }

  async #readBack(slot: HoldSlot, term: number, signal: AbortSignal): Promise<void> {
    const entry = await this.read(signal);
    const hold = slot.hold();
    if (hold?.term !== term) return;
    const reading = recordRead(hold, entry);
    if (reading.kind === 'lost') slot.lost(reading.reason);
    else slot.set(reading.hold, true);
  }
}
