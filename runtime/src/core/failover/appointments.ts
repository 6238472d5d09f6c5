/**
 * Who should lead: the coordinator's decision, taken afresh in each round from what it has read and been told.
 *
 * No acknowledged write is lost, because only a seat that was in sync, whose log is the one it had then, and which
 * has promised to refuse every lower term, is appointed. No two lead at once, because nobody is appointed before the
 * lease is void: released, unchanged for long enough, or its holder itself has promised the new term.
 */
import type { Position } from '../../contract/instance-status.ts';
import type { Appointment, Lease, Seat } from '../../contract/provider-records.ts';
import type { Candidate, PromiseReport } from './candidate.ts';
import type { Standing } from './candidate-order.ts';
import { type ForceVerdict, judgeForce, type Wish } from './forced-appointment.ts';
import { type Lapses, NO_LAPSES } from './lapses.ts';
import { judgeRecord, type Observation, type RecordVerdict } from './lease-observer.ts';
import { comparePositions, sameSeat, unionOfSeats } from './seats.ts';

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
  /** What speaks for and against the instances, apart from logs and priority (`candidate-order.ts`). */
  readonly standings?: ReadonlyMap<string, Standing>;
  readonly lapses?: Lapses;
  /** Somebody has asked for another leader. */
  readonly wish?: Wish | undefined;
  /** The end of what was acknowledged, as far as it was heard of. */
  readonly acknowledged?: Position | undefined;
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
  | 'promises-refused'
  /** Somebody wants to force an appointment, and these rules do not let him. */
  | 'force-not-needed'
  | 'force-needs-stopped';

export type AppointReason =
  | 'first-appointment'
  | 'new-leader-selected'
  | 'asked-for'
  /** Not in sync: somebody has given up what the in-sync members had (`forced-appointment.ts`). */
  | 'forced'
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
  const overtaken = set.highestPromise > (appointment?.term ?? Number.POSITIVE_INFINITY);
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
  const decision = choose(set, promised, verdict) ?? keep(set, 'no-healthy-candidates');
  return forceWhereStuck(decision, set, promised, verdict);
}

/** Only what has no other way out is forced: wherever an in-sync member is present, nothing has to be given up. */
function forceWhereStuck(
  decision: Decision,
  set: ReplicaSetSnapshot,
  promised: Reports,
  verdict: RecordVerdict,
): Decision {
  const force = set.wish?.force;
  if (force === undefined || decision.kind !== 'keep') return decision;
  if (decision.reason === 'lease-not-expired') return decision;
  const appointment = decision.reason === 'waiting-for-all-members' ? undefined : set.appointment;
  const seats = appointment === undefined ? [] : appointment.inSync;
  if (seats.some((seat) => isPresent(seat, promised))) return keep(set, 'force-not-needed');
  const { members, acknowledged } = set;
  const judged = judgeForce(
    { ...set.wish, force },
    {
      ...{ term: set.round?.term ?? 1, members, promised, verdict },
      ...{ appointment, holder: set.lease?.holder, acknowledged },
    },
  );
  return decided(set, judged) ?? decision;
}

function decided(set: ReplicaSetSnapshot, judged: ForceVerdict): Decision | undefined {
  switch (judged.kind) {
    case 'appoint':
      return appoint(set, [judged.seat], 'forced', judged.forced);
    case 'not-stopped':
      return keep(set, 'force-needs-stopped');
    case 'nobody':
      return undefined;
  }
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
    const wished = eligible(set, present, promised).find(({ seat }) => seat.uuid === set.wish?.to);
    const leader = wished?.seat ?? best(set, present, promised);
    if (leader === undefined) return undefined;
    const why = wished === undefined ? reason : 'asked-for';
    return appoint(set, [leader, ...present.filter((seat) => !sameSeat(seat, leader))], why);
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

interface Eligible {
  readonly seat: Seat;
  readonly report: PromiseReport;
}

/** Those of the seats whose instances may lead, in the order of the members. */
function eligible(
  set: ReplicaSetSnapshot,
  seats: readonly Seat[],
  promised: Reports,
): readonly Eligible[] {
  return set.members.flatMap((member) => {
    const seat = seats.find(({ uuid }) => uuid === member.uuid);
    const report = promised.get(member.uuid);
    const mayLead = member.electable && !member.disabled;
    return mayLead && seat !== undefined && report !== undefined ? [{ seat, report }] : [];
  });
}

/** Where rows may be lost that were acknowledged: highest position first, then the order of the members. */
function longestLog(
  set: ReplicaSetSnapshot,
  seats: readonly Seat[],
  promised: Reports,
): Seat | undefined {
  const [first] = eligible(set, seats, promised).toSorted(byPosition);
  return first?.seat;
}

/** Of seats that all have what was acknowledged: the order of `candidate-order.ts`. */
function best(
  set: ReplicaSetSnapshot,
  present: readonly Seat[],
  promised: Reports,
): Seat | undefined {
  const standing = ({ seat }: Eligible): Standing =>
    set.standings?.get(seat.uuid) ?? { isUnhealthy: false, place: 0 };
  const { lapses = NO_LAPSES } = set;
  const lapse = ({ seat }: Eligible): number => lapses.get(seat.uuid) ?? 0;
  const [first] = eligible(set, present, promised).toSorted(
    (a, b) =>
      Number(standing(a).isUnhealthy) - Number(standing(b).isUnhealthy) ||
      lapse(a) - lapse(b) ||
      byPosition(a, b) ||
      standing(a).place - standing(b).place,
  );
  return first?.seat;
}

function byPosition(a: Eligible, b: Eligible): number {
  return comparePositions(b.report.position, a.report.position);
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
  forced?: Appointment['forced'],
): Decision {
  const appointment: Appointment = {
    v: 1,
    term: set.round?.term ?? 1,
    leader: inSync[0].uuid,
    inSync: [...inSync],
    reason,
    ...(forced === undefined ? {} : { forced }),
  };
  return { replicaSetUuid: set.uuid, kind: 'appoint', appointment, reason };
}
