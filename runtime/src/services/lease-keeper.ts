/**
 * Holds the lease of this instance's replica set: takes it after an appointment, renews it, gives it up.
 *
 * All writes of the record go through here, one at a time. Whatever is awaited, the hold is looked at afresh
 * afterwards: a promise of a higher term or a newer appointment may have ended it meanwhile.
 */
import type { InstanceIdentity } from '../contract/identity.ts';
import { type Lease, leaseSchema, providerKeys } from '../contract/provider-records.ts';
import {
  attemptApplied,
  attemptSent,
  beginHold,
  deadlineOf,
  type LeaseEntry,
  type LeaseHold,
  type Moment,
  recordRead,
  voidHold,
} from '../core/failover/lease-hold.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import {
  ProviderError,
  type ProviderOutcome,
  type ProviderTransaction,
  type StateProvider,
} from '../ports/state-provider.ts';
import { Exclusive } from './exclusive.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

/** What the launcher must release when this process is dead. */
export interface HeldLease {
  readonly replicaSetUuid: string;
  readonly term: number;
  readonly incarnation: number;
}

/** What peer leases need to know of a hold that counts. */
export interface LeaseStanding {
  readonly term: number;
  /** Up to then the record alone is enough. */
  readonly deadlineMs: number;
  /** Renewals that were sent since the record was last known, oldest first: none was answered. */
  readonly unanswered: readonly { readonly sent: Moment }[];
}

/** What the leader that hands over writes into the record for its successor: an attempt of the successor's own. */
export interface PreparedLease {
  readonly incarnation: number;
  readonly nonce: string;
}

interface Prepared extends PreparedLease {
  readonly term: number;
  readonly sent: Moment;
}

export interface LeaseKeeperOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: InstanceIdentity;
  readonly replicaSetUuid: string;
  readonly ttlMs: number;
  /** Called after each change of what `deadlineMs` would answer, but for the passing of time. */
  readonly onChange: () => void;
  /** Told before the record can name this process, and again when it no longer does. */
  readonly onHeld: (held: readonly HeldLease[]) => void;
}

const RELEASE_ATTEMPTS = 5;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #key: string;
  readonly #writes = new Exclusive();
  #hold: LeaseHold | undefined;
  #prepared: Prepared | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#key = providerKeys.lease(options.replicaSetUuid);
  }

  /** The term that is held, valid or not. */
  get term(): number | undefined {
    return this.#hold?.term;
  }

  /** The last renewal succeeded, and the outcome of none is open. */
  get isKnown(): boolean {
    return this.#hold?.confirmed !== undefined && this.#hold.attempts.length === 0;
  }

  /** The record's revision, for a transaction that compares it. */
  get revision(): number | undefined {
    return this.#hold?.revision;
  }

  /** -Infinity when nothing is held or the hold is void. */
  deadlineMs(): number {
    if (this.#hold === undefined) return Number.NEGATIVE_INFINITY;
    return deadlineOf(this.#hold, this.#options.ttlMs, this.#now());
  }

  /** Undefined when nothing is held, and while the hold is void: then grants of peers are worth nothing either. */
  get standing(): LeaseStanding | undefined {
    const hold = this.#hold;
    if (hold?.confirmed === undefined) return undefined;
    return { term: hold.term, deadlineMs: this.deadlineMs(), unanswered: hold.attempts };
  }

  /** The hold is over; the record may still name this process. */
  drop(reason: string): void {
    if (this.#hold === undefined) return;
    this.#options.logger.warn({ term: this.#hold.term, reason }, 'leadership has ended');
    this.#hold = undefined;
    this.#options.onChange();
  }

  /** The deadline no longer counts, until a renewal succeeds. */
  void(): void {
    if (this.#hold === undefined) return;
    this.#hold = voidHold(this.#hold);
    this.#options.onChange();
  }

  /** Nothing else writes the record while `work` runs. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#writes.run(work);
  }

  /**
   * For a planned handover: the leader of now writes this attempt together with the appointment of this instance. It
   * counts from now, as any attempt from when it was sent, so that nothing has to be written again afterwards.
   */
  prepare(term: number): PreparedLease {
    const { identity, replicaSetUuid, random, onHeld } = this.#options;
    const { incarnation } = identity;
    onHeld([{ replicaSetUuid, term, incarnation }]);
    this.#prepared = { term, incarnation, nonce: random.uuid(), sent: this.#now() };
    return { incarnation, nonce: this.#prepared.nonce };
  }

  /** The prepared attempt was applied, in this revision. False when it is not the one that was prepared last. */
  takePrepared(term: number, nonce: string, revision: number): boolean {
    const prepared = this.#prepared;
    if (prepared?.term !== term || prepared.nonce !== nonce) return false;
    this.#prepared = undefined;
    if ((this.#hold?.term ?? 0) >= term) return false;
    const { incarnation, sent } = prepared;
    this.#hold = { term, incarnation, revision, confirmed: sent, attempts: [] };
    this.#options.onChange();
    return true;
  }

  /** A handover that did not come about leaves nothing to release. */
  forgetPrepared(): void {
    const { ttlMs, onHeld } = this.#options;
    if (this.#prepared === undefined || this.#hold !== undefined) return;
    if (this.#now().monotonicMs - this.#prepared.sent.monotonicMs < ttlMs) return;
    this.#prepared = undefined;
    onHeld([]);
  }

  /** Takes the lease of an appointment, or renews it. To be called within `exclusive`. */
  async takeOrRenew(term: number, mayTake: () => boolean, signal: AbortSignal): Promise<void> {
    if (this.#hold?.term !== term) {
      const entry = await this.#read(signal);
      if (entry === undefined || entry.lease.term !== term || !mayTake()) return;
      if (!(await this.#isOurs(entry, signal)) || !mayTake()) return;
      this.takePrepared(term, entry.lease.nonce, entry.revision);
      this.#begin(term, entry);
    }
    await this.renew(signal);
  }

  #begin(term: number, entry: LeaseEntry): void {
    // The leader before may have told of it meanwhile.
    if (this.#hold?.term === term) return;
    const { identity, replicaSetUuid, onHeld } = this.#options;
    onHeld([{ replicaSetUuid, term, incarnation: identity.incarnation }]);
    this.#hold = beginHold(entry, identity.incarnation);
  }

  /** One attempt; when its outcome is unknown the record is read. To be called within `exclusive`. */
  async renew(signal: AbortSignal): Promise<void> {
    const before = this.#hold;
    if (before === undefined) return;
    const nonce = this.#options.random.uuid();
    this.#hold = attemptSent(before, nonce, this.#now());
    const lease = this.#record(before.term, nonce, false);
    const outcome = await this.#put(before.revision, lease, signal);
    const hold = this.#still(before.term);
    if (hold === undefined) return;
    if (outcome?.kind === 'applied') {
      this.#hold = attemptApplied(hold, nonce, outcome.revision);
      this.#options.onChange();
    } else {
      await this.#readBack(before.term, signal);
    }
  }

  /** Ends the hold, and tells everybody that nobody has to wait. */
  release(signal: AbortSignal): Promise<void> {
    return this.exclusive(async () => {
      const hold = this.#hold;
      if (hold === undefined) return;
      this.drop('released');
      for (let attempt = 0; attempt < RELEASE_ATTEMPTS && !signal.aborted; attempt++) {
        if (await this.#released(hold.term, signal)) {
          this.#options.onHeld([]);
          return;
        }
      }
    });
  }

  async #released(term: number, signal: AbortSignal): Promise<boolean> {
    const entry = await this.#read(signal).catch(() => null);
    if (entry === null) {
      await this.#options.clock.sleep(this.#options.ttlMs / 10, signal).catch(() => undefined);
      return false;
    }
    if (entry === undefined || !this.#names(entry.lease, term) || entry.lease.released) return true;
    const tombstone = this.#record(term, this.#options.random.uuid(), true);
    const outcome = await this.#put(entry.revision, tombstone, signal);
    return outcome?.kind === 'applied';
  }

  #names(lease: Lease, term: number): boolean {
    const { uuid, incarnation } = this.#options.identity;
    return lease.term === term && lease.holder === uuid && lease.incarnation === incarnation;
  }

  /** An earlier process of this instance is dead, as the working directory is ours: its lease is released. */
  async #isOurs(entry: LeaseEntry, signal: AbortSignal): Promise<boolean> {
    const { identity, logger } = this.#options;
    const { lease, revision } = entry;
    if (lease.holder !== identity.uuid || lease.released) return false;
    if (lease.incarnation === 0 || lease.incarnation === identity.incarnation) return true;
    logger.info({ term: lease.term }, 'the lease of the process before this one is released');
    await this.#put(revision, { ...lease, released: true }, signal);
    return false;
  }

  async #readBack(term: number, signal: AbortSignal): Promise<void> {
    const entry = await this.#read(signal);
    const hold = this.#still(term);
    if (hold === undefined) return;
    const reading = recordRead(hold, entry);
    if (reading.kind === 'lost') {
      this.drop(reading.reason);
      this.#options.onHeld([]);
      return;
    }
    this.#hold = reading.hold;
    this.#options.onChange();
  }

  #still(term: number): LeaseHold | undefined {
    return this.#hold?.term === term ? this.#hold : undefined;
  }

  async #read(signal: AbortSignal): Promise<LeaseEntry | undefined> {
    const timeoutMs = this.#options.ttlMs / 3;
    const entry = await this.#options.provider.get(this.#key, { timeoutMs, signal });
    return entry && { lease: parseRecord(entry, leaseSchema), revision: entry.revision };
  }

  /** Undefined when the outcome is not known, or nothing happened. */
  async #put(
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

  #record(term: number, nonce: string, released: boolean): Lease {
    const { uuid, incarnation } = this.#options.identity;
    return { v: 1, term, holder: uuid, incarnation, nonce, released };
  }

  #now(): Moment {
    const { clock } = this.#options;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallTime().getTime() };
  }
}
