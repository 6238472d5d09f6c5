/**
 * Peer leases: how a leader keeps writing while the state provider does not answer.
 *
 * A holder whose renewal is unanswered, but which has lost no comparison, leads on while every other seat of its
 * in-sync members has granted it its term: the confirmed seats and all those of changes whose outcome is not known.
 *
 * No other leader can come up meanwhile. Whoever is appointed has either promised the new term as one of the stored
 * in-sync seats, or all who had a seat have promised, or all instances have; and what is stored is always among what
 * the holder counts. Take any of them:
 * - The holder itself refuses to promise while it stands on peer leases, and gives up for good before it promises.
 * - Another seat that has promised a higher term, or has heard of one, grants nothing. One that has granted promises
 *   nothing for 1.1 × TTL after its last grant, on its own clock; the holder's deadline is TTL after it *sent* the
 *   request, which was before. The grant is on the disk before it is given, so a restart changes nothing. Grants and
 *   promises of one instance come one after the other.
 * - A seat that its instance has lost in a reboot grants in the name of another seat, which does not count.
 * A planned handover needs no promise of the successor. But the holder's hold is void before it is sent, and with it
 * all grants, until a comparison of the holder's own has succeeded: from then on the handover cannot apply any more.
 *
 * What this does not cover are instances that were expelled while they could reach neither the provider nor anybody
 * else: when all in-sync members of a set are expelled, those that are left are appointed without asking them. An
 * instance that cannot be reached is expelled only when its process is known to be dead (docs/failover.md).
 *
 * A grantor must have failed to read the provider itself. Otherwise a leader that is cut off alone would lead for ever
 * without ever being able to change its in-sync members.
 */
import type { Seat } from '../../contract/provider-records.ts';
import { type Moment, validUntilMs } from './lease-hold.ts';
import { OBSERVER_PATIENCE } from './lease-observer.ts';
import { sameSeat } from './seats.ts';

/** Renewals are sent more than twice as often, whether they are answered or not. */
const LONE_TTLS = 2;

/** What the holder knows of one grant: when it sent the request for it, on its own clocks. */
export interface ReceivedGrant {
  readonly seat: Seat;
  readonly sent: Moment;
}

/** What a holder asks for. */
export interface GrantRequest {
  readonly term: number;
  readonly holder: string;
  /** Counts the holder's outages: the end of one must not end grants of a later one. */
  readonly round: number;
  readonly ttlMs: number;
}

/** What a grantor knows when it is asked. */
export interface GrantorView {
  /** The newest appointment of its replica set that it has heard of. */
  readonly appointment: { readonly term: number; readonly leader: string } | undefined;
  readonly promisedTerm: number;
  /** The highest term that it heard of anybody to have promised. */
  readonly seenTerm: number;
}

export type GrantVerdict =
  | { readonly kind: 'granted' }
  | { readonly kind: 'refused'; readonly reason: string };

/** A grant that an instance has given, or finds on its disk after a restart. */
export interface GivenGrant extends GrantRequest {
  /** On the grantor's monotonic clock: until then it promises nothing. */
  readonly untilMs: number;
}

/** Until when the holder may write by the grants it has; -Infinity when one is missing of the seats that count. */
export function peerDeadline(
  grants: readonly ReceivedGrant[],
  others: readonly Seat[],
  ttlMs: number,
  now: Moment,
): number {
  const deadlines = others.map((seat) => {
    const grant = grants.find((given) => sameSeat(given.seat, seat));
    return grant === undefined ? Number.NEGATIVE_INFINITY : validUntilMs(grant.sent, ttlMs, now);
  });
  return Math.min(...deadlines);
}

/**
 * Until when it may write if no other seat counts: then nobody can be appointed without asking the holder itself, so
 * this is no matter of time. All the same it must know of a renewal that the provider has not answered lately: one
 * that was stopped for long looks first what has become of its replica set.
 */
export function loneDeadline(
  unanswered: readonly { readonly sent: Moment }[],
  ttlMs: number,
  now: Moment,
): number {
  const failed = unanswered.findLast(({ sent }) =>
    isOverdue(sent.monotonicMs, ttlMs, now.monotonicMs),
  );
  return failed === undefined
    ? Number.NEGATIVE_INFINITY
    : validUntilMs(failed.sent, LONE_TTLS * ttlMs, now);
}

/** Has a renewal waited for so long that the provider may be away? Grants must be there before the record runs out. */
export function isOverdue(sentMs: number, ttlMs: number, nowMs: number): boolean {
  return nowMs >= sentMs + overdueAfterMs(ttlMs);
}

export function overdueAfterMs(ttlMs: number): number {
  return ttlMs / 10;
}

/** May it be granted, as far as terms go? */
export function judgeGrant(request: GrantRequest, view: GrantorView): GrantVerdict {
  const { appointment, promisedTerm, seenTerm } = view;
  const { term, holder } = request;
  if (promisedTerm > term || seenTerm > term) {
    return refused(`term ${Math.max(promisedTerm, seenTerm)} was promised`);
  }
  // A successor does not promise its term before it begins it.
  if (appointment?.term !== term || appointment.leader !== holder) {
    const known =
      appointment === undefined ? 'no leader' : `the leader of term ${appointment.term}`;
    return refused(`it knows of ${known}, which is another`);
  }
  if (promisedTerm < term) return refused(`it does not follow term ${term} yet`);
  return { kind: 'granted' };
}

export function refused(reason: string): Extract<GrantVerdict, { kind: 'refused' }> {
  return { kind: 'refused', reason };
}

/** From the last grant on; the tenth allows for clocks that run at different rates. */
export function givenGrant(request: GrantRequest, nowMs: number): GivenGrant {
  const { term, holder, round, ttlMs } = request;
  return { term, holder, round, ttlMs, untilMs: nowMs + OBSERVER_PATIENCE * ttlMs };
}

/** Both count: a request that was late must not let an earlier end, or a shorter time, count for what came after it. */
export function laterGrant(before: GivenGrant | undefined, given: GivenGrant): GivenGrant {
  if (before === undefined) return given;
  const untilMs = Math.max(before.untilMs, given.untilMs);
  const round = before.term === given.term ? Math.max(before.round, given.round) : given.round;
  return { ...given, round, untilMs };
}

/** Does the holder's word that it needs no grant any more end this one? */
export function endsGrant(
  grant: GivenGrant,
  end: { readonly term: number; readonly holder: string; readonly round: number },
): boolean {
  return grant.term === end.term && grant.holder === end.holder && grant.round <= end.round;
}
