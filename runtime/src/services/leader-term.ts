/**
 * One term as leader: who has which rows, and who waits for what.
 *
 * A wait ends well only when every required seat has the row and the lease holds at that very moment. The lease may
 * lapse and come back within the term; whoever waited across a lapse learns that the outcome is unknown. Who waits for
 * a row of local spaces waits for the own log in the place of the seats, and for the lease all the same.
 */
import type { Issue } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { type AwaitedRow, isAwaited } from '../core/replication/awaited-row.ts';
import {
  type FollowerProgress,
  LeaderProgress,
  type ProgressLimits,
  type RequiredSeats,
  sameSeat,
} from '../core/replication/leader-progress.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { HeldReplies } from '../ports/iproto-storage.ts';
import type { InSyncOutcome, LeadershipPort } from '../ports/leadership.ts';

/** What a wait that fails means: the write is in the log, or certainly nothing was done. */
export type WaitFailure = 'OUTCOME_UNKNOWN' | 'NO_LEADER';

export interface LeaderTermOptions {
  readonly term: number;
  readonly own: Seat;
  /** The sequence of the term's first row. */
  readonly beganAt: number;
  readonly leadership: LeadershipPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ProgressLimits;
  readonly required: RequiredSeats;
  readonly isMember: (uuid: string) => boolean;
  /** The enabled instances of the replica set. */
  readonly instances: () => readonly string[];
  /** Names of the synchronous spaces. */
  readonly synchronous: () => readonly string[];
  /** The last row of now; it may not be in the log yet. */
  readonly applied: () => number;
  /** Persists the in-sync members that were stored. */
  readonly saveInSync: (seats: readonly Seat[]) => Promise<void>;
  readonly writeTimeoutMs: number;
  /** Replies that wait without a promise of their own. */
  readonly held: HeldReplies;
  /** Called when something that others can see may have changed. */
  readonly onProgress: () => void;
}

const TOO_LATE = 'not all who must have it had it in time';

interface Waiter {
  readonly row: AwaitedRow;
  readonly failure: WaitFailure;
  readonly untilMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LeaderTerm {
  readonly term: number;
  readonly #options: LeaderTermOptions;
  readonly #progress: LeaderProgress;
  /** A majority of the instances acknowledges, rather than every in-sync member. */
  readonly #isMajority: boolean;
  #waiters: Waiter[] = [];
  /** How far the log was at some moments: who waits for a row of then waits at least since then. */
  #marks: { readonly sequence: number; readonly atMs: number }[] = [];
  #sequence: number;
  #tickedMs: number;
  #acknowledged = 0;
  #ended = false;

  constructor(options: LeaderTermOptions) {
    this.term = options.term;
    this.#sequence = options.beganAt;
    this.#tickedMs = options.clock.monotonicMs();
    this.#options = options;
    const current = options.leadership.current();
    this.#isMajority = current.kind === 'leader' && current.ack === 'majority';
    this.#progress = new LeaderProgress({
      own: options.own,
      sequence: options.beganAt,
      nowMs: options.clock.monotonicMs(),
      limits: options.limits,
      required: options.required,
      isMember: options.isMember,
      instances: options.instances,
      isMajority: this.#isMajority,
    });
  }

  /** The last row that is known to be on all in-sync members. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The last row that no later leader will cut; where a majority must have rows, it may not be acknowledged yet. */
  get inSyncEnd(): number {
    return this.#progress.lastInSyncEnd;
  }

  /** The last row that is in the own log, as durable as its mode makes it. */
  get logged(): number {
    return this.#sequence;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The term has begun and the lease holds now. */
  get isWritable(): boolean {
    return this.#acknowledged >= this.#options.beganAt && this.#lease() !== undefined;
  }

  sequenceOf(seat: Seat): number {
    return this.#progress.sequenceOf(seat);
  }

  /** The lowest position of a follower that was heard in this term; undefined when none was. */
  get slowest(): number | undefined {
    return this.#progress.slowest;
  }

  appended(sequence: number): void {
    this.#sequence = sequence;
    this.#progress.appended(sequence, this.#now());
    this.settle();
  }

  pulled(seat: Seat, sequence: number, session: number): void {
    this.#progress.heard(seat, session);
    this.#progress.pulled(seat, sequence, this.#now());
    this.settle();
  }

  /** True once the seat counts for nothing in this term, and is stored as none of the in-sync members. */
  leave(seat: Seat, session: number): boolean {
    this.#progress.leave(seat, session);
    const lease = this.#lease();
    if (lease === undefined) return false;
    if (this.#isMajority) return this.#progress.canSpareLeaving(lease.inSync);
    return !lease.inSync.some((other) => sameSeat(other, seat));
  }

  /** What is known of the others of the replica set; nothing while the lease does not hold. */
  followers(): readonly FollowerProgress[] {
    const lease = this.#lease();
    return lease === undefined ? [] : this.#progress.followers(lease.inSync, this.#now());
  }

  /** Rows wait because a majority must have them, and too few instances keep up. */
  get lacksMajority(): boolean {
    return this.#missing().length > 0;
  }

  issues(): readonly Issue[] {
    const issues: Issue[] = [];
    const missing = this.#missing();
    if (missing.length > 0) {
      const message = `Writes wait: ${this.#lacking(missing)}. Start them, or look why they do not keep up.`;
      const topic = this.#isMajority ? 'failover' : 'synchronous-spaces';
      issues.push({ level: 'critical', topic, message });
    }
    const synchronous = this.#options.synchronous();
    if (this.#lease()?.ack === 'local' && synchronous.length > 0) {
      const message = `The spaces ${synchronous.join(', ')} are synchronous, but this failover mode may choose a leader that lacks their rows: use mode stateful or raft.`;
      issues.push({ level: 'warning', topic: 'synchronous-spaces', message });
    }
    return issues;
  }

  /** Resolves once every row up to this one is acknowledged, or in the own log, with a valid lease. */
  wait(row: AwaitedRow, failure: WaitFailure, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const untilMs = this.#now() + timeoutMs;
      this.#waiters.push({ row, failure, untilMs, resolve, reject });
      this.settle();
    });
  }

  /** Looks who need not wait any more. */
  settle(): void {
    const lease = this.#lease();
    if (lease === undefined) {
      this.#failAll('its leadership lapsed');
    } else {
      const { synchronous, applied } = this.#options;
      this.#progress.setSynchronous(synchronous().length > 0, applied);
      const acknowledged = this.#progress.acknowledged(lease.inSync);
      this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
      const isLocal = lease.ack === 'local' && synchronous().length === 0;
      const answered = isLocal ? this.#sequence : this.#acknowledged;
      const done = this.#take(({ row }) => !isAwaited(row, answered, this.#sequence));
      for (const waiter of done) waiter.resolve();
      this.#options.held.settle(answered, this.#sequence);
    }
    this.#options.onProgress();
  }

  /** Ends waits that took too long; sends a change of the in-sync members if one is due. */
  async tick(): Promise<void> {
    const now = this.#now();
    this.#progress.paused(now - this.#tickedMs, now);
    this.#tickedMs = now;
    this.#fail((waiter) => waiter.untilMs <= now, this.#whyLate());
    this.#failLate(now);
    this.settle();
    const lease = this.#lease();
    if (lease === undefined) return;
    const change = this.#progress.change(lease.inSync, now);
    if (change === undefined) return;
    const { leadership, logger, saveInSync } = this.#options;
    logger.info({ ...change, term: this.term }, 'changing the in-sync members');
    const outcome = await leadership.proposeInSync(change.seats, change.reason).catch(
      // It may have been stored before the call failed.
      (): InSyncOutcome => 'unknown',
    );
    if (outcome === 'stored') await saveInSync(change.seats);
    this.#progress.settled(outcome);
    if (outcome === 'lost') this.end('another instance was appointed');
    this.settle();
  }

  end(reason: string): void {
    this.#ended = true;
    this.#failAll(reason);
    this.#options.onProgress();
  }

  #missing(): readonly string[] {
    const lease = this.#lease();
    return lease === undefined ? [] : this.#progress.missing(lease.inSync, this.#now());
  }

  #whyLate(): string {
    const missing = this.#missing();
    return missing.length === 0 ? TOO_LATE : `${TOO_LATE}: ${this.#lacking(missing)}`;
  }

  #lacking(missing: readonly string[]): string {
    const spaces = this.#options.synchronous().map((name) => `"${name}"`);
    const count = this.#options.instances().length;
    const where = this.#isMajority
      ? 'in failover mode "raft"'
      : `with synchronous spaces (${spaces.join(', ')})`;
    return (
      `${where} a majority of the ${count} instances must ` +
      `be in sync, and ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not`
    );
  }

  #lease(): { readonly inSync: readonly Seat[]; readonly ack?: 'local' | 'majority' } | undefined {
    const current = this.#options.leadership.current();
    if (this.#ended || current.kind !== 'leader' || current.term !== this.term) return undefined;
    if (this.#now() >= current.deadlineMs) return undefined;
    const isIn = current.inSync.some((seat) => sameSeat(seat, this.#options.own));
    return isIn ? current : undefined;
  }

  #failAll(why: string): void {
    this.#fail(() => true, why);
    this.#options.held.fail(Number.POSITIVE_INFINITY, why);
  }

  #failLate(now: number): void {
    const { writeTimeoutMs, held } = this.#options;
    const late = this.#marks.findLast(({ atMs }) => atMs + writeTimeoutMs <= now);
    this.#marks = this.#marks.filter(({ sequence }) => sequence > (late?.sequence ?? 0));
    if (late !== undefined && late.sequence > this.#acknowledged)
      held.fail(late.sequence, this.#whyLate());
    if (
      (this.#marks.at(-1)?.sequence ?? 0) < this.#sequence &&
      this.#sequence > this.#acknowledged
    ) {
      this.#marks.push({ sequence: this.#sequence, atMs: now });
    }
  }

  #fail(which: (waiter: Waiter) => boolean, why: string): void {
    for (const { failure, reject } of this.#take(which)) {
      const message =
        failure === 'OUTCOME_UNKNOWN'
          ? `The write is in this leader's log, but ${why}: it may be kept or lost. Read before you repeat it.`
          : `Nothing was done: ${why}. Repeat the request.`;
      reject(new ClusterError(failure, { message }));
    }
  }

  #take(which: (waiter: Waiter) => boolean): readonly Waiter[] {
    if (this.#waiters.length === 0) return [];
    const taken = this.#waiters.filter(which);
    if (taken.length > 0) this.#waiters = this.#waiters.filter((waiter) => !which(waiter));
    return taken;
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
