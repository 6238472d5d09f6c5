/**
 * Holds the lease of this instance's replica set: takes it after an appointment, renews it, gives it up.
 *
 * All writes of the record go through here, one at a time. Whatever is awaited, the hold is looked at afresh
 * afterwards: a promise of a higher term or a newer appointment may have ended it meanwhile.
 *
 * The renewals of a hold that lasts may be delegated, so that they go on while the main loop is busy. Whatever else
 * writes or compares the record takes them back first, and goes on from what they knew at last.
 */
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Lease } from '../contract/provider-records.ts';
import {
  beginHold,
  deadlineOf,
  type LeaseEntry,
  type LeaseHold,
  type Moment,
  voidHold,
} from '../core/failover/lease-hold.ts';
import { permittedUntilMs } from '../core/failover/renewal-permission.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { LeaseRenewals, RunningRenewals, StartedRenewals } from '../ports/lease-renewals.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { Exclusive } from './exclusive.ts';
import { type HeldLease, HeldReport } from './held-report.ts';
import { LeaseRecord } from './lease-record.ts';

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
  /** Renews it beside the main loop. Left out: each attempt is made here. */
  readonly renewals?: LeaseRenewals | undefined;
  /** What renewed beside the main loop does so no more: an attempt is due here. */
  readonly onRenewalsFailed: () => void;
  /** Called after each change of what `deadlineMs` would answer, but for the passing of time. */
  readonly onChange: () => void;
  /** Told before the record can name this process, and again when it no longer does. */
  readonly onHeld: (held: readonly HeldLease[]) => void;
}

const RELEASE_ATTEMPTS = 5;
/** Of the lease time: a new leader has other things to do first, and may not lead for long. */
const DELEGATE_AFTER_TTLS = 1.5;
/** After renewals that have failed, or were late. */
const DELEGATE_AGAIN_TTLS = 5;
/** Of the lease time: whoever renews has done it by then, and who notices can still do it in time. */
const LATE_TTLS = 0.7;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #record: LeaseRecord;
  readonly #report: HeldReport;
  readonly #writes = new Exclusive();
  /** As it was when it was delegated, while it is. */
  #hold: LeaseHold | undefined;
  #prepared: Prepared | undefined;
  /** Gets ready to renew; until it is, that is done here. */
  #started: StartedRenewals | undefined;
  #delegated: RunningRenewals | undefined;
  /** Renewals of a hold that is over: once it has resolved, they write nothing any more. */
  #stopping: Promise<void> | undefined;
  #delegateAfterMs = 0;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#record = new LeaseRecord({ ...options, holder: options.identity.uuid });
    this.#report = new HeldReport(options);
  }

  /** The term that is held, valid or not. */
  get term(): number | undefined {
    return this.#current()?.term;
  }

  /** The last renewal succeeded, and the outcome of none is open. */
  get isKnown(): boolean {
    const hold = this.#current();
    return hold?.confirmed !== undefined && hold.attempts.length === 0;
  }

  /** The record's revision, for a transaction that compares it. To be asked within `exclusive`. */
  get revision(): number | undefined {
    return this.#hold?.revision;
  }

  /** -Infinity when nothing is held or the hold is void. */
  deadlineMs(): number {
    const hold = this.#current();
    if (hold === undefined) return Number.NEGATIVE_INFINITY;
    return deadlineOf(hold, this.#options.ttlMs, this.#record.now());
  }

  /** Undefined when nothing is held, and while the hold is void: then grants of peers are worth nothing either. */
  get standing(): LeaseStanding | undefined {
    const hold = this.#current();
    if (hold?.confirmed === undefined) return undefined;
    return { term: hold.term, deadlineMs: this.deadlineMs(), unanswered: hold.attempts };
  }

  /** The hold is over; the record may still name this process. */
  drop(reason: string): void {
    if (this.#hold === undefined) return;
    this.#options.logger.warn({ term: this.#hold.term, reason }, 'leadership has ended');
    this.#endDelegation();
    this.#hold = undefined;
    this.#options.onChange();
  }

  /** The deadline no longer counts, until a renewal succeeds. To be called within `exclusive`. */
  void(): void {
    if (this.#hold === undefined) return;
    this.#hold = voidHold(this.#hold);
    this.#options.onChange();
  }

  /** Nothing else writes the record while `work` runs: a hold that is delegated is taken back first. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#writes.run(async () => {
      if (this.#delegated !== undefined || this.#stopping !== undefined) await this.#takeBack();
      return work();
    });
  }

  /**
   * For a planned handover: the leader of now writes this attempt together with the appointment of this instance. It
   * counts from now, as any attempt from when it was sent, so that nothing has to be written again afterwards.
   */
  prepare(term: number): PreparedLease {
    const { identity, random } = this.#options;
    const prepared = { incarnation: identity.incarnation, nonce: random.uuid() };
    this.#prepared = { ...prepared, term, sent: this.#record.now() };
    this.#report.prepared(term);
    return prepared;
  }

  /** The prepared attempt was applied, in this revision. False when it is not the one that was prepared last. */
  takePrepared(term: number, nonce: string, revision: number): boolean {
    const prepared = this.#prepared;
    if (prepared?.term !== term || prepared.nonce !== nonce) return false;
    if ((this.#hold?.term ?? 0) >= term) return false;
    const { incarnation, sent } = prepared;
    this.#prepared = undefined;
    this.#report.taken(term);
    this.#endDelegation();
    this.#hold = { term, incarnation, revision, confirmed: sent, attempts: [] };
    this.#delegateLater(DELEGATE_AFTER_TTLS);
    this.#options.onChange();
    return true;
  }

  /** A handover that did not come about leaves nothing to release. */
  forgetPrepared(): void {
    const { ttlMs, clock } = this.#options;
    if (this.#prepared === undefined) return;
    if (clock.monotonicMs() - this.#prepared.sent.monotonicMs < ttlMs) return;
    this.#prepared = undefined;
    this.#report.prepared(undefined);
  }

  /** Takes the lease of an appointment, or renews it. To be called within `exclusive`. */
  async takeOrRenew(term: number, mayTake: () => boolean, signal: AbortSignal): Promise<void> {
    if (this.#hold?.term !== term) {
      const entry = await this.#record.read(signal);
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
    this.#prepared = undefined;
    this.#report.taken(term);
    this.#hold = beginHold(entry, this.#options.identity.incarnation);
    this.#delegateLater(DELEGATE_AFTER_TTLS);
  }

  /** One attempt; when its outcome is unknown the record is read. To be called within `exclusive`. */
  renew(signal: AbortSignal): Promise<void> {
    return this.#record.renew(
      {
        hold: () => this.#hold,
        set: (hold, isNews) => {
          this.#hold = hold;
          if (isNews) this.#options.onChange();
        },
        lost: (reason) => this.#lost(reason),
      },
      signal,
    );
  }

  /** Lets it be renewed beside the main loop, if that is possible and it is time. To be called within `exclusive`. */
  async delegate(): Promise<void> {
    const { renewals, provider, clock, logger, ttlMs } = this.#options;
    const hold = this.#hold;
    const nowMs = clock.monotonicMs();
    if (renewals === undefined || hold === undefined || !this.isKnown) return;
    if (nowMs < this.#delegateAfterMs) return;
    const started = this.#readyRenewals(renewals);
    if (started === undefined) return;
    const place = await provider.placeOf(hold.revision);
    if (this.#hold !== hold || this.#started !== started) return;
    const task = { state: { hold, place }, permittedUntilMs: permittedUntilMs(nowMs, ttlMs) };
    const delegated = started.begin(task, () => this.#heard(delegated));
    this.#started = undefined;
    this.#delegated = delegated;
    logger.info({ term: hold.term }, 'the lease is renewed beside the main loop');
  }

  /** Given a hold while it still loads, it would renew too late on a busy machine. */
  #readyRenewals(renewals: LeaseRenewals): StartedRenewals | undefined {
    const { replicaSetUuid, identity, ttlMs, logger } = this.#options;
    let error: unknown;
    try {
      this.#started ??= renewals.start({ replicaSetUuid, holder: identity.uuid, ttlMs });
      const { end, isReady } = this.#started;
      if (end === undefined) return isReady ? this.#started : undefined;
      error = end;
    } catch (cause) {
      error = cause;
    }
    // Without a thread it is held as well, while the main loop is not busy.
    logger.warn({ error }, 'there is no thread to renew the lease; trying again later');
    this.#endDelegation();
    this.#delegateLater(DELEGATE_AGAIN_TTLS);
    return undefined;
  }

  /** When it must have been renewed elsewhere; Infinity while it is not delegated. */
  get lateAtMs(): number {
    const { confirmed } = this.#delegated?.state.hold ?? {};
    if (confirmed === undefined) return Number.POSITIVE_INFINITY;
    return confirmed.monotonicMs + LATE_TTLS * this.#options.ttlMs;
  }

  /** False when the lease of that term is not renewed elsewhere, or not in time; else it may go on there. */
  permit(term: number): boolean {
    const { clock, ttlMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const delegated = this.#delegated;
    if (delegated === undefined || delegated.end !== undefined || this.term !== term) return false;
    if (nowMs >= this.lateAtMs) return false;
    delegated.permit(permittedUntilMs(nowMs, ttlMs));
    return true;
  }

  /** It is not renewed elsewhere any more, nor for some time. */
  async recall(): Promise<void> {
    this.#delegateLater(DELEGATE_AFTER_TTLS);
    if (this.#started !== undefined) this.#endDelegation();
    if (this.#delegated === undefined && this.#stopping === undefined) return;
    await this.exclusive(() => Promise.resolve());
  }

  /** Ends the hold, and tells everybody that nobody has to wait. */
  release(signal: AbortSignal): Promise<void> {
    return this.exclusive(async () => {
      const hold = this.#hold;
      if (hold === undefined) return;
      this.drop('released');
      for (let attempt = 0; attempt < RELEASE_ATTEMPTS && !signal.aborted; attempt++) {
        if (!(await this.#released(hold.term, signal))) continue;
        this.#report.over(hold.term);
        return;
      }
    });
  }

  async #released(term: number, signal: AbortSignal): Promise<boolean> {
    const entry = await this.#record.read(signal).catch(() => null);
    if (entry === null) {
      await this.#options.clock.sleep(this.#options.ttlMs / 10, signal).catch(() => undefined);
      return false;
    }
    if (entry === undefined || !this.#names(entry.lease, term) || entry.lease.released) return true;
    const { identity, random } = this.#options;
    const record = { term, incarnation: identity.incarnation, nonce: random.uuid() };
    const tombstone = this.#record.lease({ ...record, released: true });
    const outcome = await this.#record.put(entry.revision, tombstone, signal);
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
    await this.#record.put(revision, { ...lease, released: true }, signal);
    return false;
  }

  #current(): LeaseHold | undefined {
    const delegated = this.#delegated;
    if (delegated === undefined) return this.#hold;
    return delegated.end?.kind === 'lost' ? undefined : delegated.state.hold;
  }

  #lost(reason: string): void {
    const term = this.#hold?.term;
    this.drop(reason);
    if (term !== undefined) this.#report.over(term);
  }

  #heard(delegated: RunningRenewals): void {
    if (this.#delegated !== delegated) return;
    const { logger, onChange, onRenewalsFailed } = this.#options;
    const { end } = delegated;
    const { trouble } = delegated.state;
    if (end?.kind === 'lost') {
      this.#lost(end.reason);
      return;
    }
    if (trouble !== undefined) {
      logger.warn({ trouble }, 'the lease could not be renewed; trying again');
    }
    onChange();
    if (end === undefined) return;
    logger.error({ error: end.error }, 'the thread that renews the lease has failed');
    onRenewalsFailed();
  }

  async #takeBack(): Promise<void> {
    const delegated = this.#delegated;
    const stopping = this.#stopping;
    await Promise.all([stopping, delegated?.stop()]);
    if (this.#stopping === stopping) this.#stopping = undefined;
    if (delegated === undefined || this.#delegated !== delegated) return;
    const { hold, place } = delegated.state;
    const isLate = this.#record.now().monotonicMs >= this.lateAtMs;
    const revision = await this.#options.provider.revisionAt(place);
    if (this.#delegated !== delegated) return;
    const { end } = delegated;
    if (end?.kind === 'lost') {
      this.#lost(end.reason);
      return;
    }
    this.#delegated = undefined;
    this.#hold = { ...hold, revision };
    const isGood = end === undefined && !isLate;
    this.#delegateLater(isGood ? DELEGATE_AFTER_TTLS : DELEGATE_AGAIN_TTLS);
  }

  #endDelegation(): void {
    const renewals = this.#delegated ?? this.#started;
    if (renewals !== undefined) this.#stopping = renewals.stop();
    this.#delegated = undefined;
    this.#started = undefined;
  }

  #delegateLater(ttls: number): void {
    const { clock, ttlMs } = this.#options;
    this.#delegateAfterMs = Math.max(this.#delegateAfterMs, clock.monotonicMs() + ttls * ttlMs);
  }
}
