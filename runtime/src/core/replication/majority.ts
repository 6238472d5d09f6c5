/** What a majority of a replica set's instances is, and which in-sync members it cannot do without. */
import type { Seat } from '../../contract/provider-records.ts';

export function majorityOf(instances: readonly string[]): number {
  return Math.floor(instances.length / 2) + 1;
}

/** The last row that a majority of the instances has: `sequenceOf` gives the end of each of these seats' logs. */
export function majorityEnd(
  seats: readonly Seat[],
  instances: readonly string[],
  sequenceOf: (seat: Seat) => number,
): number {
  const ends = instances.map((uuid) => {
    const own = seats.filter((seat) => seat.uuid === uuid).map(sequenceOf);
    return own.length === 0 ? 0 : Math.min(...own);
  });
  return ends.toSorted((a, b) => b - a)[majorityOf(instances) - 1] ?? 0;
}

/** Are these seats those of so many of the instances? An instance counts once, whatever seats of it there are. */
export function coversMajority(seats: readonly Seat[], instances: readonly string[]): boolean {
  return countOf(seats, instances) >= majorityOf(instances);
}

/**
 * Those of `removed` that can go, the first ones first, so that a majority stays in sync. With less than one there
 * already, nobody goes who counts: whoever is not one of the instances does not.
 */
export function spareable(
  removed: readonly Seat[],
  staying: readonly Seat[],
  instances: readonly string[],
): readonly Seat[] {
  let left = [...staying, ...removed];
  return removed.filter((seat) => {
    const without = left.filter((other) => other !== seat);
    const isMissed = countOf(without, instances) < countOf(left, instances);
    if (isMissed && !coversMajority(without, instances)) return false;
    left = without;
    return true;
  });
}

function countOf(seats: readonly Seat[], instances: readonly string[]): number {
  return new Set(seats.map(({ uuid }) => uuid).filter((uuid) => instances.includes(uuid))).size;
}
