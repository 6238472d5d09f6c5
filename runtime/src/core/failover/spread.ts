/**
 * Spreads leaders evenly over places (zones or nodes), by one handover after the other.
 *
 * A move is worth it when it takes a leader from a place to one that has at least two fewer. If no replica set has
 * members in both, a chain of moves may help: its last link goes first, so that each step leaves the leaders as evenly
 * spread as they were, and the rest of the chain is shorter by one. So it comes to an end.
 */
export interface SpreadSet {
  readonly uuid: string;
  /** Where its leader is. */
  readonly place: string;
  /** Who may take over and where, most wanted first. */
  readonly targets: readonly { readonly uuid: string; readonly place: string }[];
}

export interface SpreadMove {
  readonly replicaSetUuid: string;
  readonly to: string;
}

interface Link {
  readonly move: SpreadMove;
  readonly place: string;
}

/** @param counts leaders by place, those that cannot move as well, and 0 for places that have none */
export function planSpread(
  sets: readonly SpreadSet[],
  counts: ReadonlyMap<string, number>,
): SpreadMove | undefined {
  const places = [...counts].toSorted(([a, most], [b, other]) => other - most || (a < b ? -1 : 1));
  for (const [place, count] of places) {
    const move = lastLink(sets, place, (other) => (counts.get(other) ?? 0) <= count - 2);
    if (move !== undefined) return move;
  }
  return undefined;
}

/** Of the shortest chain from a place to one that wants a leader. */
function lastLink(
  sets: readonly SpreadSet[],
  from: string,
  isWanting: (place: string) => boolean,
): SpreadMove | undefined {
  const seen = new Set([from]);
  let ends: readonly string[] = [from];
  while (ends.length > 0) {
    const links = ends.flatMap((place) => linksFrom(sets, place)).filter((l) => !seen.has(l.place));
    const last = links.find(({ place }) => isWanting(place));
    if (last !== undefined) return last.move;
    for (const { place } of links) seen.add(place);
    ends = [...new Set(links.map(({ place }) => place))];
  }
  return undefined;
}

function linksFrom(sets: readonly SpreadSet[], from: string): readonly Link[] {
  return sets
    .filter(({ place }) => place === from)
    .flatMap(({ uuid, targets }) =>
      targets.map(({ uuid: to, place }) => ({ move: { replicaSetUuid: uuid, to }, place })),
    );
}
