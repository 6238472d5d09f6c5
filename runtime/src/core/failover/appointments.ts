/**
 * Who should lead: the coordinator's decision, taken afresh in each round from what it has read and been told.
 *
 * No acknowledged write is lost, because only a seat that was in sync, whose log is the one it had then, and which
 * has promised to refuse every lower term, is appointed. No two lead at once, because nobody is appointed before the
 * lease is void: released, unchanged for long enough, or its holder itself has promised the new term.
 */
import type { Position } from '../../contract/instance-status.ts';
import type { Appointment, Lease, Seat } from '../../contract/provider-records.ts';
import { judgeRecord, type Observation, type RecordVerdict } from './lease-observer.ts';
import { comparePositions, sameSeat, unionOfSeats } from './seats.ts';

export interface Candidate {
  readonly uuid: string;
  readonly electable: boolean;
  readonly disabled: boolean;
}

/** The in-sync members that an instance last knew, on its disk. */
export interface LastInSync {
  readonly term: number;
  readonly leader: string;
  readonly inSync: readonly Seat[];
}

/** What an instance answered when it was asked to promise a term. */
export interface PromiseReport {
  readonly position: Position;
  /** Lower than the term that was asked for: refused. */
  readonly promisedTerm: number;
  readonly logIncarnation: number;
  readonly lastInSync?: LastInSync | undefined;
}

export interface ReplicaSetSnapshot {
  readonly uuid: string;
  /** Every instance of the set, most wanted leader first. */
  readonly members: readonly Candidate[];
  readonly appointment: Appointment | undefined;
  readonly lease: Lease | undefined;
  readonly observation: Observation;
  /** The highest promise that any instance of the set has reported, if it was asked. */
  readonly highestPromise: number;
  /** The term that was asked for in this round, with the answers; undefined before anybody was asked. */
  readonly round:
    | { readonly term: number; readonly reports: ReadonlyMap<string, PromiseReport> }
    | undefined;
}

export interface FailoverSnapshot {
  readonly ttlMs: number;
  readonly replicaSets: readonly ReplicaSetSnapshot[];
}

export type KeepReason =
  | 'current-leader-healthy'
  | 'lease-not-expired'
  | 'no-healthy-candidates'
  | 'waiting-for-all-members'
  | 'promises-refused';

export type AppointReason =
  | 'first-appointment'
  | 'new-leader-selected'
  | 'higher-term-promised'
  | 'provider-had-forgotten'
  | 'all-seats-lost'
  /** Rows that only these had were given up when they were expelled, so nothing is lost by this appointment. */
  | 'all-seats-expelled';

export type Decision = { readonly replicaSetUuid: string } & (
  | { readonly kind: 'keep'; readonly reason: KeepReason }
  /** Ask every instance of the set to promise this term, then plan again. */
  | { readonly kind: 'ask'; readonly term: number; readonly reason: string }
  | { readonly kind: 'appoint'; readonly appointment: Appointment; readonly reason: AppointReason }
);

type Reports = ReadonlyMap<string, PromiseReport>;

export function planAppointments(snapshot: FailoverSnapshot, nowMs: number): readonly Decision[] {
  return snapshot.replicaSets.map((set) => planAppointment(set, snapshot.ttlMs, nowMs));
}

function planAppointment(set: ReplicaSetSnapshot, ttlMs: number, nowMs: number): Decision {
  const { appointment, round } = set;
  const verdict = judgeRecord(set.observation, set.lease, ttlMs, nowMs);
  const overtaken = appointment !== undefined && set.highestPromise > appointment.term;
  if (verdict.kind === 'held' && appointment !== undefined && !overtaken) {
    return keep(set, set.lease === undefined ? 'lease-not-expired' : 'current-leader-healthy');
  }
  const term = nextTerm(set);
  if (round === undefined || round.term !== term) {
    const reason = overtaken ? 'higher-term-promised' : 'no-valid-leader';
    return { replicaSetUuid: set.uuid, kind: 'ask', term, reason };
  }
  const promised = new Map(
    [...round.reports].filter(([, { promisedTerm }]) => promisedTerm === term),
  );
  if (promised.size < round.reports.size) return keep(set, 'promises-refused');
  return choose(set, promised, verdict) ?? keep(set, 'no-healthy-candidates');
}

/** Higher than every term that anybody led, and not lower than any that was promised: asking again raises nothing. */
function nextTerm(set: ReplicaSetSnapshot): number {
  const reports = [...(set.round?.reports.values() ?? [])];
  return Math.max(
    (set.appointment?.term ?? 0) + 1,
    set.highestPromise,
    ...reports.map(({ position }) => position.term + 1),
    ...reports.map(({ lastInSync }) => (lastInSync?.term ?? 0) + 1),
    ...reports.map(({ promisedTerm }) => promisedTerm),
  );
}

/** Has this set been led in a term that the provider does not know? */
function providerHasForgotten(set: ReplicaSetSnapshot, reports: Reports): boolean {
  const known = set.appointment?.term ?? 0;
  return [...reports.values()].some(
    ({ position, lastInSync }) => position.term > known || (lastInSync?.term ?? 0) > known,
  );
}

function choose(
  set: ReplicaSetSnapshot,
  promised: Reports,
  verdict: RecordVerdict,
): Decision | undefined {
  const all = set.members.every(({ uuid }) => promised.has(uuid));
  const forgotten = providerHasForgotten(set, promised);
  if (set.appointment === undefined || forgotten) {
    // All have promised, so nobody leads a lower term any more: there is no lease to wait for.
    if (!all) return keep(set, 'waiting-for-all-members');
    return forgotten ? afterForgetting(set, promised) : first(set, promised);
  }
  const holderPromised = promised.has(set.lease?.holder ?? set.appointment.leader);
  if (verdict.kind === 'held' && !holderPromised) return keep(set, 'lease-not-expired');
  const reason = verdict.kind === 'held' ? 'higher-term-promised' : 'new-leader-selected';
  return fromSeats(set, promised, set.appointment.inSync, reason);
}

function first(set: ReplicaSetSnapshot, promised: Reports): Decision | undefined {
  const leader = set.members.find(({ electable, disabled }) => electable && !disabled);
  const seat = leader && seatOf(leader.uuid, promised);
  return seat && appoint(set, [seat], 'first-appointment');
}

function fromSeats(
  set: ReplicaSetSnapshot,
  promised: Reports,
  inSync: readonly Seat[],
  reason: AppointReason,
): Decision | undefined {
  const present = inSync.filter((seat) => isPresent(seat, promised));
  if (present.length > 0) {
    const leader = longestLog(set, present, promised);
    if (leader === undefined) return undefined;
    return appoint(set, [leader, ...present.filter((seat) => !sameSeat(seat, leader))], reason);
  }
  // An instance that was expelled never answers, so its seat is lost as those whose log lost its end. When all were
  // expelled, as the only instance of a set without volumes is after each restart, the instances that are left decide.
  const members = set.members.map(({ uuid }) => uuid);
  const former = members.filter((uuid) => inSync.some((seat) => seat.uuid === uuid));
  const asked = former.length > 0 ? former : members;
  if (asked.some((uuid) => !promised.has(uuid))) return undefined;
  const seats = asked.flatMap((uuid) => seatOf(uuid, promised) ?? []);
  const leader = longestLog(set, seats, promised);
  return (
    leader && appoint(set, [leader], former.length > 0 ? 'all-seats-lost' : 'all-seats-expelled')
  );
}

function isPresent(seat: Seat, promised: Reports): boolean {
  return promised.get(seat.uuid)?.logIncarnation === seat.incarnation;
}

/** Highest position first, then the order of the members. */
function longestLog(
  set: ReplicaSetSnapshot,
  seats: readonly Seat[],
  promised: Reports,
): Seat | undefined {
  const electable = set.members.flatMap((member) => {
    const seat = seats.find(({ uuid }) => uuid === member.uuid);
    const report = promised.get(member.uuid);
    const eligible = member.electable && !member.disabled;
    return eligible && seat !== undefined && report !== undefined ? [{ seat, report }] : [];
  });
  return electable.toSorted((a, b) => comparePositions(b.report.position, a.report.position))[0]
    ?.seat;
}

/**
 * All have reported, so the longest log of all leads: it is not shorter than that of any seat, and logs that are not
 * shorter have what was acknowledged. Copies of the in-sync members may be old, so only who is as far is in sync.
 */
function afterForgetting(set: ReplicaSetSnapshot, promised: Reports): Decision | undefined {
  const present = newestInSync(promised).filter((seat) => isPresent(seat, promised));
  // A seat that may not lead is waited for, rather than passed over by a log that may lack rows.
  if (present.length > 0 && longestLog(set, present, promised) === undefined) return undefined;
  const seats = set.members.flatMap(({ uuid }) => seatOf(uuid, promised) ?? []);
  const leader = longestLog(set, seats, promised);
  if (leader === undefined) return undefined;
  const isAsFar = ({ uuid }: Seat): boolean => {
    const [own, other] = [promised.get(leader.uuid), promised.get(uuid)];
    return own && other ? comparePositions(own.position, other.position) === 0 : false;
  };
  const others = present.filter((seat) => !sameSeat(seat, leader) && isAsFar(seat));
  const reason = present.length > 0 ? 'provider-had-forgotten' : 'all-seats-lost';
  return appoint(set, [leader, ...others], reason);
}

/** Those of the newest term, all that any copy names. With no copy left, every instance. */
function newestInSync(reports: Reports): readonly Seat[] {
  const copies = [...reports.values()].flatMap(({ lastInSync }) => lastInSync ?? []);
  if (copies.length === 0)
    return [...reports.keys()].flatMap((uuid) => seatOf(uuid, reports) ?? []);
  const newest = Math.max(...copies.map(({ term }) => term));
  return unionOfSeats(...copies.filter(({ term }) => term === newest).map((copy) => copy.inSync));
}

function seatOf(uuid: string, promised: Reports): Seat | undefined {
  const report = promised.get(uuid);
  return report && { uuid, incarnation: report.logIncarnation };
}

function keep(set: ReplicaSetSnapshot, reason: KeepReason): Decision {
  return { replicaSetUuid: set.uuid, kind: 'keep', reason };
}

function appoint(
  set: ReplicaSetSnapshot,
  inSync: readonly [Seat, ...Seat[]],
  reason: AppointReason,
): Decision {
  const appointment: Appointment = {
    v: 1,
    term: set.round?.term ?? 1,
    leader: inSync[0].uuid,
    inSync: [...inSync],
    reason,
  };
  return { replicaSetUuid: set.uuid, kind: 'appoint', appointment, reason };
}
