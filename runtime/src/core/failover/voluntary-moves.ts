/**
 * When a leader that holds its lease is left all the same: it is unhealthy, or another place is wanted for it. Always
 * by a planned handover, which loses and cuts nothing; never to one that is not in sync, or not healthy.
 *
 * Immunity: nobody who was appointed less than `immunity_timeout` ago is left by such a decision, so that leaders do
 * not go to and fro. It is looked at here alone. A lease that was released, or has expired, never comes here: it is
 * `appointments.ts` that replaces a lost leader, and it knows no immunity.
 */
import type { FailoverConfig } from '../../contract/cluster-config.ts';
import type { Appointment } from '../../contract/provider-records.ts';
import type { Candidate } from './candidate.ts';
import { placeOf } from './candidate-order.ts';
import type { Health } from './instance-health.ts';
import { planSpread } from './spread.ts';

export type MoveReason = 'leader-unhealthy' | 'preferred-zone' | 'autoreturn' | 'spread-leaders';

export interface Move {
  readonly replicaSetUuid: string;
  readonly from: string;
  readonly to: string;
  readonly reason: MoveReason;
  /** For people. */
  readonly why: string;
}

/** A replica set whose leader holds its lease now. */
export interface LedSet {
  readonly uuid: string;
  /** Every instance of the set, most wanted leader first. */
  readonly members: readonly Candidate[];
  readonly appointment: Appointment;
  /** When this coordinator first saw the appointment's term. */
  readonly sinceMs: number;
  /** Did this coordinator appoint by itself, and take the longest log? */
  readonly isAutomatic: boolean;
  /** When a move of this set failed last. */
  readonly failedMs: number | undefined;
}

export interface MovesSnapshot {
  readonly failover: FailoverConfig;
  readonly sets: readonly LedSet[];
  readonly healthOf: (uuid: string) => Health;
}

export interface Moves {
  readonly moves: readonly Move[];
  /** Unhealthy leaders that stay for now, and why. */
  readonly kept: ReadonlyMap<string, 'immunity-not-expired' | 'no-healthy-candidates'>;
}

/** Moves for the sake of places come one at a time, and only when nothing more urgent is to be done. */
export function planMoves(snapshot: MovesSnapshot, nowMs: number): Moves {
  const kept = new Map<string, 'immunity-not-expired' | 'no-healthy-candidates'>();
  const urgent = snapshot.sets.flatMap((set) => {
    const decided = leaveUnhealthy(snapshot, set, nowMs);
    if (decided === undefined) return [];
    if (typeof decided !== 'string') return [decided];
    kept.set(set.uuid, decided);
    return [];
  });
  if (urgent.length > 0) return { moves: urgent, kept };
  for (const set of snapshot.sets) {
    const move = intoPreferredZone(snapshot, set, nowMs) ?? autoreturn(snapshot, set, nowMs);
    if (move !== undefined) return { moves: [move], kept };
  }
  const move = spreadLeaders(snapshot, nowMs);
  return { moves: move === undefined ? [] : [move], kept };
}

function leaveUnhealthy(
  snapshot: MovesSnapshot,
  set: LedSet,
  nowMs: number,
): Move | 'immunity-not-expired' | 'no-healthy-candidates' | undefined {
  const health = snapshot.healthOf(set.appointment.leader);
  if (health.kind !== 'unhealthy') return undefined;
  if (isImmune(snapshot, set, nowMs)) return 'immunity-not-expired';
  const { preferred_zone: zone } = snapshot.failover;
  const targets = targetsOf(snapshot, set);
  const to = targets.find((target) => target.zone === zone) ?? targets[0];
  if (to === undefined) return 'no-healthy-candidates';
  return move(set, to, 'leader-unhealthy', `the leader is unhealthy: ${health.why}`);
}

/** A failover takes the longest log wherever that is; afterwards leadership goes where it is wanted. */
function intoPreferredZone(snapshot: MovesSnapshot, set: LedSet, nowMs: number): Move | undefined {
  const { preferred_zone: zone } = snapshot.failover;
  if (zone === undefined || !set.isAutomatic || isImmune(snapshot, set, nowMs)) return undefined;
  if (leaderOf(set)?.zone === zone) return undefined;
  const to = targetsOf(snapshot, set).find((target) => target.zone === zone);
  return to && move(set, to, 'preferred-zone', `leaders are preferred in zone ${zone}`);
}

/** FO-85. */
function autoreturn(snapshot: MovesSnapshot, set: LedSet, nowMs: number): Move | undefined {
  const {
    leader_autoreturn: isOn,
    autoreturn_delay: delay,
    preferred_zone: zone,
  } = snapshot.failover;
  const enabled = set.members.filter(({ disabled }) => !disabled);
  if (!isOn || enabled.length < 2 || isImmune(snapshot, set, nowMs)) return undefined;
  // A try that failed begins a new period.
  if (nowMs < Math.max(set.sinceMs, set.failedMs ?? 0) + delay * 1000) return undefined;
  const electable = enabled.filter((member) => member.electable);
  const first = electable.find((member) => member.zone === zone) ?? electable[0];
  if (first === undefined || first.uuid === set.appointment.leader) return undefined;
  const to = targetsOf(snapshot, set).find(({ uuid }) => uuid === first.uuid);
  if (to === undefined || isLessEven(snapshot, set, to)) return undefined;
  return move(set, to, 'autoreturn', 'it is the most wanted leader of its replica set');
}

function spreadLeaders(snapshot: MovesSnapshot, nowMs: number): Move | undefined {
  const { spread_leaders: spread, preferred_zone: zone } = snapshot.failover;
  if (spread === 'none') return undefined;
  const place = (member: Candidate): string => placeOf(member, spread);
  const isWanted = (member: Candidate): boolean => zone === undefined || member.zone === zone;
  const movable = snapshot.sets.filter((set) => !isImmune(snapshot, set, nowMs));
  const sets = movable.flatMap((set) => {
    const leader = leaderOf(set);
    const targets = targetsOf(snapshot, set).filter(isWanted);
    if (leader === undefined) return [];
    return [
      {
        uuid: set.uuid,
        place: place(leader),
        targets: targets.map((target) => ({ uuid: target.uuid, place: place(target) })),
      },
    ];
  });
  const counts = countLeaders(snapshot);
  for (const target of sets.flatMap(({ targets }) => targets)) {
    if (!counts.has(target.place)) counts.set(target.place, 0);
  }
  const planned = planSpread(sets, counts);
  const set = snapshot.sets.find(({ uuid }) => uuid === planned?.replicaSetUuid);
  const to = set?.members.find(({ uuid }) => uuid === planned?.to);
  return set && to && move(set, to, 'spread-leaders', `leaders are spread over each ${spread}`);
}

/** Autoreturn does not undo what spreading does. */
function isLessEven(snapshot: MovesSnapshot, set: LedSet, to: Candidate): boolean {
  const { spread_leaders: spread } = snapshot.failover;
  const leader = leaderOf(set);
  if (spread === 'none' || leader === undefined) return false;
  const [from, there] = [placeOf(leader, spread), placeOf(to, spread)];
  const counts = countLeaders(snapshot);
  return from !== there && (counts.get(there) ?? 0) >= (counts.get(from) ?? 0);
}

function countLeaders({ sets, failover }: MovesSnapshot): Map<string, number> {
  const counts = new Map<string, number>();
  for (const leader of sets.flatMap((set) => leaderOf(set) ?? [])) {
    const place = placeOf(leader, failover.spread_leaders);
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

/**
 * Who may take over now: in sync, electable, enabled, and healthy with a config that is no older than the leader's; a
 * newer config may be what made the leader unhealthy, and would make this one so too.
 */
function targetsOf(snapshot: MovesSnapshot, set: LedSet): readonly Candidate[] {
  const { leader, inSync } = set.appointment;
  const leaders = snapshot.healthOf(leader);
  const least = leaders.kind === 'unknown' ? 0 : leaders.configVersion;
  return set.members.filter(({ uuid, electable, disabled }) => {
    const health = snapshot.healthOf(uuid);
    const isFit = health.kind === 'healthy' && health.configVersion >= least;
    const isSeated = inSync.some((seat) => seat.uuid === uuid);
    return isFit && isSeated && electable && !disabled && uuid !== leader;
  });
}

/** A try that failed is repeated no sooner than a leader may be left that has just been appointed. */
function isImmune({ failover }: MovesSnapshot, set: LedSet, nowMs: number): boolean {
  return nowMs < Math.max(set.sinceMs, set.failedMs ?? 0) + failover.immunity_timeout * 1000;
}

function leaderOf({ members, appointment }: LedSet): Candidate | undefined {
  return members.find(({ uuid }) => uuid === appointment.leader);
}

function move(set: LedSet, to: Candidate, reason: MoveReason, why: string): Move {
  return { replicaSetUuid: set.uuid, from: set.appointment.leader, to: to.uuid, reason, why };
}
