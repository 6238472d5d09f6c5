/**
 * Who of those that may be appointed is taken when a leader is gone.
 *
 * Every in-sync seat that is present has every acknowledged row, so nothing that was promised depends on the order.
 * What an appointment can still cost is rows that were not acknowledged by the in-sync members, those with
 * `ack: 'local'` among them: they are cut wherever the new leader does not have them. So the longest log goes before
 * every wish about places, and only a healthy instance that keeps its leases before a longer log, since with another one
 * nothing works. A wish that this passes over is fulfilled later, by a planned handover, which cuts nothing (`voluntary-moves.ts`).
 *
 *     healthy · no lease of it ran out, or longest ago (`lapses.ts`) · longest log · place · failover priority
 *
 * Of places, the preferred zone comes first; without one the zone where most leaders are (few zones lose leaders at
 * once then); where leaders are to be spread, the place with the fewest.
 */
import type { FailoverConfig } from '../../contract/cluster-config.ts';
import type { Candidate } from './candidate.ts';
import type { Health } from './instance-health.ts';

/** What an instance has for and against it, apart from its log and its priority. */
export interface Standing {
  readonly isUnhealthy: boolean;
  /** Lower is better. */
  readonly place: number;
}

export type PlaceWishes = Pick<FailoverConfig, 'preferred_zone' | 'spread_leaders'>;

/** The zone or node that counts when leaders are spread; without a label it counts as one place with its likes. */
export function placeOf(candidate: Candidate, spread: FailoverConfig['spread_leaders']): string {
  return (spread === 'node' ? candidate.node : candidate.zone) ?? '';
}

export function standings(
  members: readonly Candidate[],
  healthOf: (uuid: string) => Health,
  wishes: PlaceWishes,
  /** The leaders of the other replica sets. */
  leaders: readonly Candidate[],
): ReadonlyMap<string, Standing> {
  const { spread_leaders: spread, preferred_zone: preferred } = wishes;
  const counts = new Map<string, number>();
  for (const leader of leaders) {
    const place = placeOf(leader, spread);
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  const rank = (member: Candidate): number => {
    const count = counts.get(placeOf(member, spread)) ?? 0;
    const outside = preferred !== undefined && member.zone !== preferred ? 1 : 0;
    if (spread !== 'none') return outside * (leaders.length + 1) + count;
    if (preferred !== undefined) return outside;
    // Instances without a zone say nothing about where leaders should be.
    return member.zone === undefined ? 0 : -count;
  };
  return new Map(
    members.map((member) => [
      member.uuid,
      { isUnhealthy: healthOf(member.uuid).kind === 'unhealthy', place: rank(member) },
    ]),
  );
}
