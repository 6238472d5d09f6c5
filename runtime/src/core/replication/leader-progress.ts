/**
 * What a leader knows of the logs of its followers in one term, and who must have a row before it is acknowledged.
 *
 * Only in-sync seats can become leader, so a write is safe once every one of them has it. Two rules keep that true
 * while the in-sync members change:
 * - Until the outcome of a change is known, the seats of before *and* after it are required. So nothing is
 *   acknowledged without a laggard before its removal is stored.
 * - A seat that comes in is required first, and proposed only when it has every row that all in-sync members had, in
 *   this term or, for all that is known, before it. So whoever is in the stored record has them all.
 *
 * Where there are synchronous spaces, two more: no change leaves less than a majority of the instances in sync, and
 * nothing is acknowledged while a record that may be the stored one names less. So whatever minority is lost for good,
 * somebody who may lead has every acknowledged row.
 *
 * Where a majority of the instances acknowledges (mode `raft`), nobody is taken out or let in. Rows of earlier terms
 * count only when one of this term does: a majority that has them alone may still be overruled by a later log.
 */
import type { Seat } from '../../contract/provider-records.ts';
import { assert } from '../../foundation/assert.ts';
import { coversMajority, majorityEnd, spareable } from './majority.ts';

export interface ProgressLimits {
  /** A seat that is behind and has not moved for so long is taken out of the in-sync members. */
  readonly laggardMs: number;
  /** A seat that is nearer than this many rows is waited for, so that it can come in. */
  readonly joinRows: number;
  /** Only a seat that has asked for rows within this time is let in. Longer than a pull may wait. */
  readonly heardMs: number;
}

export const defaultProgressLimits: ProgressLimits = {
  laggardMs: 500,
  joinRows: 1000,
  heardMs: 2000,
};

export interface MembershipChange {
  readonly seats: readonly Seat[];
  readonly reason: string;
}

/** Which seats must have a row: those in the record, and those of changes whose outcome is not known. */
export type RequiredSeats = (inSync: readonly Seat[], held: readonly Seat[]) => readonly Seat[];

export const requireUnion: RequiredSeats = (inSync, held) => [...inSync, ...held];

interface SeatProgress {
  readonly seat: Seat;
  sequence: number;
  /** Since when it has been behind without moving; undefined while it has everything. */
  behindSinceMs: number | undefined;
  /** Since when it has lacked anything; undefined while it has everything. */
  lackingSinceMs: number | undefined;
  /** When it last asked for rows. */
  heardMs: number;
}

/** What a leader knows of an instance that follows it. */
export interface FollowerProgress {
  readonly uuid: string;
  readonly isInSync: boolean;
  /** Rows of the leader's log that it is not known to have. */
  readonly rowsBehind: number;
  /** Since it had everything; 0 while it has. */
  readonly lagMs: number;
  /** Since it asked for rows, or since the term began. */
  readonly idleMs: number;
}

export interface LeaderProgressOptions {
  readonly own: Seat;
  /** Of the term's first row: any before it may have been acknowledged in an earlier term. */
  readonly sequence: number;
  readonly nowMs: number;
  readonly limits: ProgressLimits;
  readonly required: RequiredSeats;
  /** Does the instance still belong to the replica set? One that does not is taken out, idle or not. */
  readonly isMember?: (uuid: string) => boolean;
  /** The enabled instances of the replica set, of which a majority is one. Left out: this one. */
  readonly instances?: () => readonly string[];
  /** A majority of the instances acknowledges, rather than every in-sync member. */
  readonly isMajority?: boolean;
}

export class LeaderProgress {
  readonly #options: LeaderProgressOptions;
  readonly #seats = new Map<string, SeatProgress>();
  /** Seats that are about to lose their rows, and have asked in a session of theirs to be taken out. */
  #leaving: readonly { readonly seat: Seat; readonly session: number }[] = [];
  #sequence: number;
  #inSyncEnd = 0;
  #acknowledged = 0;
  #joining: readonly Seat[] = [];
  /** Seats of a change that was sent and whose outcome has not been read. */
  #proposed: readonly Seat[] | undefined;
  /** Records any of which may be the stored one, while the outcome of a change is not known. */
  #possible: readonly (readonly Seat[])[] = [];
  #waiting = false;
  /** Rows up to this one need a majority: all, while there are synchronous spaces. */
  #majorityUpTo = 0;

  constructor(options: LeaderProgressOptions) {
    this.#options = options;
    this.#sequence = options.sequence;
  }

  /** The own log has grown. */
  appended(sequence: number, nowMs: number): void {
    this.#sequence = sequence;
    for (const progress of this.#seats.values()) {
      progress.behindSinceMs ??= nowMs;
      progress.lackingSinceMs ??= nowMs;
    }
  }

  /** A seat has asked for what is behind `sequence`, which is in the own log: it has all up to there. */
  pulled(seat: Seat, sequence: number, nowMs: number): void {
    if (!this.#isLatest(seat)) return;
    const progress = this.#progress(seat);
    progress.heardMs = nowMs;
    if (sequence > progress.sequence) {
      progress.sequence = sequence;
      progress.behindSinceMs = nowMs;
    }
    if (progress.sequence < this.#sequence) return;
    progress.behindSinceMs = undefined;
    progress.lackingSinceMs = undefined;
  }

  /**
   * So long nobody was listened to: a leader that stood still itself takes nobody out for it. What counts of each pause
   * is enough to find laggards, however often there is one.
   */
  paused(forMs: number, nowMs: number): void {
    const lostMs = forMs - this.#options.limits.laggardMs / 2;
    if (lostMs <= 0) return;
    for (const progress of this.#seats.values()) {
      const since = progress.behindSinceMs;
      if (since !== undefined) progress.behindSinceMs = Math.min(since + lostMs, nowMs);
    }
  }

  /** `applied` is the last row of now: when the last synchronous space goes, its end still needs a majority. */
  setSynchronous(isSynchronous: boolean, applied: () => number): void {
    if (isSynchronous) this.#majorityUpTo = Number.POSITIVE_INFINITY;
    else if (this.#majorityUpTo === Number.POSITIVE_INFINITY) this.#majorityUpTo = applied();
  }

  /** It must not count for any row any more, until it is heard in a later session. */
  leave(seat: Seat, session: number): void {
    const others = this.#leaving.filter((other) => !sameSeat(other.seat, seat));
    this.#leaving = [...others, { seat, session }];
  }

  /** It asks for rows: what it has said in an earlier session is void. */
  heard(seat: Seat, session: number): void {
    if (this.#leaving.length === 0) return;
    this.#leaving = this.#leaving.filter(
      (other) => !sameSeat(other.seat, seat) || other.session >= session,
    );
  }

  sequenceOf(seat: Seat): number {
    return sameSeat(seat, this.#options.own) ? this.#sequence : this.#progress(seat).sequence;
  }

  /** The lowest sequence of a seat that has asked for rows and still belongs to the set; undefined when none has. */
  get slowest(): number | undefined {
    const heard = [...this.#seats.values()].filter(
      ({ seat, heardMs }) => heardMs > Number.NEGATIVE_INFINITY && this.#isMember(seat),
    );
    return heard.length === 0 ? undefined : Math.min(...heard.map(({ sequence }) => sequence));
  }

  /** The last row that every required seat was found to have: as only they can lead, it will not be cut. */
  get lastInSyncEnd(): number {
    return this.#inSyncEnd;
  }

  /** The last row that every required seat has, as long as they are as many as must have it. It stays so. */
  acknowledged(inSync: readonly Seat[]): number {
    if (this.#options.isMajority === true) return this.#acknowledgedByMajority(inSync);
    const end = this.#findInSyncEnd(inSync);
    if (!this.#lacksMajority(inSync)) this.#acknowledged = end;
    return this.#acknowledged;
  }

  /** The change of the in-sync members that is due, if one is; it must be sent now, and settled later. */
  change(inSync: readonly Seat[], nowMs: number): MembershipChange | undefined {
    if (this.#waiting || this.#options.isMajority === true) return undefined;
    this.#chooseJoining(inSync, nowMs);
    const base = distinct([...inSync, ...(this.#proposed ?? [])]);
    const needed = Math.max(this.#options.sequence, this.#findInSyncEnd(inSync));
    const added = this.#joining.filter((seat) => this.sequenceOf(seat) >= needed);
    const removed = this.#removed(base, added, nowMs);
    const left = removed.filter((seat) => !this.#isMember(seat));
    const slow = removed.filter((seat) => this.#isMember(seat));
    const undecided = this.#proposed !== undefined;
    if (removed.length + added.length === 0 && !undecided) return undefined;
    const stay = base.filter(
      (seat) => !removed.includes(seat) && !added.some(({ uuid }) => uuid === seat.uuid),
    );
    this.#waiting = true;
    this.#proposed = [...stay, ...added];
    this.#possible = withRecord(undecided ? this.#possible : [inSync], this.#proposed);
    this.#joining = this.#joining.filter((seat) => !added.includes(seat));
    return { seats: this.#proposed, reason: reasonFor({ left, slow, added }) };
  }

  /** `unknown` keeps what was proposed among the required seats, until a later change is stored. */
  settled(outcome: 'stored' | 'lost' | 'unknown'): void {
    assert(this.#waiting, 'only a change that was sent is settled');
    this.#waiting = false;
    if (outcome !== 'stored') return;
    this.#proposed = undefined;
    this.#possible = [];
  }

  /** Instances for which the acknowledgement of rows waits because a majority must have them. */
  missing(inSync: readonly Seat[], nowMs: number): readonly string[] {
    if (!this.#needsMajority) return [];
    const present = inSync.filter((seat) => this.#isMember(seat) && !this.#isLaggard(seat, nowMs));
    const instances = this.#instances();
    if (coversMajority(present, instances)) return [];
    return instances.filter((uuid) => !present.some((seat) => seat.uuid === uuid));
  }

  /** All that was acknowledged is on a majority without those that leave. */
  canSpareLeaving(inSync: readonly Seat[]): boolean {
    return this.#majorityEnd(inSync) >= this.#acknowledged;
  }

  followers(inSync: readonly Seat[], nowMs: number): readonly FollowerProgress[] {
    const others = this.#instances().filter((uuid) => uuid !== this.#options.own.uuid);
    return others.map((uuid) => {
      const known = [...this.#seats.values()].filter(({ seat }) => seat.uuid === uuid);
      const latest = known.toSorted((a, b) => b.seat.incarnation - a.seat.incarnation)[0];
      const { nowMs: beganMs } = this.#options;
      return {
        uuid,
        isInSync: inSync.some((seat) => seat.uuid === uuid && !this.#isLeftBehind(seat, nowMs)),
        rowsBehind: this.#sequence - (latest?.sequence ?? 0),
        lagMs: latest === undefined ? nowMs - beganMs : nowMs - (latest.lackingSinceMs ?? nowMs),
        idleMs: nowMs - Math.max(beganMs, latest?.heardMs ?? beganMs),
      };
    });
  }

  /** What was so once stays so. */
  #findInSyncEnd(inSync: readonly Seat[]): number {
    const seats = this.#required(inSync);
    if (seats.length === 0) return this.#inSyncEnd;
    const everywhere = Math.min(...seats.map((seat) => this.sequenceOf(seat)));
    this.#inSyncEnd = Math.max(this.#inSyncEnd, everywhere);
    return this.#inSyncEnd;
  }

  #acknowledgedByMajority(seats: readonly Seat[]): number {
    const end = this.#majorityEnd(seats);
    if (end >= this.#options.sequence) this.#acknowledged = Math.max(this.#acknowledged, end);
    this.#inSyncEnd = this.#acknowledged;
    return this.#acknowledged;
  }

  #majorityEnd(seats: readonly Seat[]): number {
    const counted = seats.filter((seat) => this.#isMember(seat));
    return majorityEnd(counted, this.#instances(), (seat) => this.sequenceOf(seat));
  }

  /** Where a majority acknowledges, nobody takes it out for that. */
  #isLeftBehind(seat: Seat, nowMs: number): boolean {
    return this.#options.isMajority === true && this.#isLaggard(seat, nowMs);
  }

  get #needsMajority(): boolean {
    if (this.#options.isMajority === true) return true;
    return this.#acknowledged < this.#majorityUpTo;
  }

  #instances(): readonly string[] {
    return this.#options.instances?.() ?? [this.#options.own.uuid];
  }

  #lacksMajority(inSync: readonly Seat[]): boolean {
    if (!this.#needsMajority) return false;
    const possible = this.#possible.length > 0 ? this.#possible : [inSync];
    const instances = this.#instances();
    return possible.some((seats) => !coversMajority(seats, instances));
  }

  #removed(base: readonly Seat[], added: readonly Seat[], nowMs: number): readonly Seat[] {
    const removed = base.filter((seat) => !this.#isMember(seat) || this.#isLaggard(seat, nowMs));
    if (!this.#needsMajority) return removed;
    const staying = [...base.filter((seat) => !removed.includes(seat)), ...added];
    const slowestFirst = removed.toSorted((a, b) => this.sequenceOf(a) - this.sequenceOf(b));
    return spareable(slowestFirst, staying, this.#instances());
  }

  #required(inSync: readonly Seat[]): readonly Seat[] {
    return this.#options.required(inSync, [...(this.#proposed ?? []), ...this.#joining]);
  }

  #chooseJoining(inSync: readonly Seat[], nowMs: number): void {
    const near = [...this.#seats.values()].filter(
      ({ seat, sequence }) =>
        this.#sequence - sequence <= this.#options.limits.joinRows &&
        this.#isMember(seat) &&
        !this.#isLaggard(seat, nowMs) &&
        this.#wasHeard(seat, nowMs) &&
        !isAmong(seat, inSync) &&
        !isAmong(seat, this.#proposed ?? []),
    );
    this.#joining = near.map(({ seat }) => seat);
  }

  #isLaggard(seat: Seat, nowMs: number): boolean {
    const { own, limits } = this.#options;
    if (sameSeat(seat, own)) return false;
    const since = this.#progress(seat).behindSinceMs;
    return since !== undefined && nowMs - since >= limits.laggardMs;
  }

  #isMember(seat: Seat): boolean {
    const { own, isMember } = this.#options;
    if (sameSeat(seat, own)) return true;
    if (this.#leaving.some((other) => sameSeat(other.seat, seat))) return false;
    return isMember === undefined || isMember(seat.uuid);
  }

  #wasHeard(seat: Seat, nowMs: number): boolean {
    return nowMs - this.#progress(seat).heardMs <= this.#options.limits.heardMs;
  }

  /** An earlier incarnation of an instance has lost rows that it once had: what is known of it is void. */
  #isLatest(seat: Seat): boolean {
    for (const [key, { seat: known }] of this.#seats) {
      if (known.uuid !== seat.uuid) continue;
      if (known.incarnation > seat.incarnation) return false;
      if (known.incarnation < seat.incarnation) this.#seats.delete(key);
    }
    return true;
  }

  #progress(seat: Seat): SeatProgress {
    const key = `${seat.uuid}/${seat.incarnation}`;
    const known = this.#seats.get(key);
    if (known !== undefined) return known;
    // Not heard of in this term: behind from its beginning.
    const { nowMs } = this.#options;
    const progress = {
      ...{ seat, sequence: 0, behindSinceMs: nowMs, lackingSinceMs: nowMs },
      heardMs: Number.NEGATIVE_INFINITY,
    };
    this.#seats.set(key, progress);
    return progress;
  }
}

export function sameSeat(a: Seat, b: Seat): boolean {
  return a.uuid === b.uuid && a.incarnation === b.incarnation;
}

function isAmong(seat: Seat, seats: readonly Seat[]): boolean {
  return seats.some((other) => sameSeat(seat, other));
}

/** A change that is sent again and again is one record. */
function withRecord(
  records: readonly (readonly Seat[])[],
  added: readonly Seat[],
): readonly (readonly Seat[])[] {
  const isAdded = (record: readonly Seat[]): boolean =>
    record.length === added.length && added.every((seat) => isAmong(seat, record));
  return records.some(isAdded) ? records : [...records, added];
}

function distinct(seats: readonly Seat[]): readonly Seat[] {
  return seats.filter((seat, index) => seats.findIndex((other) => sameSeat(seat, other)) === index);
}

function reasonFor(change: {
  readonly left: readonly Seat[];
  readonly slow: readonly Seat[];
  readonly added: readonly Seat[];
}): string {
  const { left, slow, added } = change;
  const names = (seats: readonly Seat[]): string => seats.map(({ uuid }) => uuid).join(', ');
  const parts = [
    ...(left.length > 0 ? [`${names(left)} has left`] : []),
    ...(slow.length > 0 ? [`${names(slow)} does not keep up`] : []),
    ...(added.length > 0 ? [`${names(added)} has caught up`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : 'the outcome of the last change is not known';
}
