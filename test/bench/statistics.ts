/** What several runs of the same measurement say together. Pure. */

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = low] = sorted.slice(
    sorted.length % 2 === 1 ? middle : middle - 1,
  );
  return sorted.length % 2 === 1 ? low : (low + high) / 2;
}

/**
 * Who is measured when: in each round all of them once, in the next round beginning with another, so that nobody always
 * follows the same neighbour.
 */
export function orderOfRound<T>(items: readonly T[], round: number): readonly T[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
