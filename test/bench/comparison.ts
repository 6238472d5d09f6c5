/**
 * What a suite finds out: figures of ours beside those of another server, as ratios with their goals. Pure.
 *
 * A ratio is that of the medians. The ratio of each round is kept too: both of its figures were taken within seconds of
 * each other, so their spread says how much of a difference is the machine.
 */
import { median } from './statistics.ts';

export type Unit = 'per-second' | 'ms' | 'seconds' | 'cpu-seconds' | 'bytes';

export interface Goal {
  readonly bound: 'at-least' | 'at-most';
  readonly value: number;
  /** Of the ratio, or of our own figure. */
  readonly of: 'ratio' | 'ours';
}

export interface Comparison {
  /** The same from run to run. */
  readonly id: string;
  readonly title: string;
  readonly against: string;
  readonly unit: Unit;
  /** Medians; null: not measured. */
  readonly ours: number | null;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly roundRatios: readonly number[];
  readonly goal: Goal | null;
  readonly isMet: boolean | null;
}

export interface ComparisonInput {
  readonly id: string;
  readonly title: string;
  readonly against: string;
  readonly unit: Unit;
  readonly goal: Goal | null;
  /** One figure per round. */
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

export function buildComparison(input: ComparisonInput): Comparison {
  const { ours: oursOfRounds, theirs: theirsOfRounds, ...described } = input;
  const ours = oursOfRounds.length === 0 ? null : median(oursOfRounds);
  const theirs = theirsOfRounds.length === 0 ? null : median(theirsOfRounds);
  const ratio = ours === null || theirs === null ? null : ours / theirs;
  const roundRatios = oursOfRounds.flatMap((figure, round) => {
    const other = theirsOfRounds[round];
    return other === undefined ? [] : [figure / other];
  });
  const isMet = judge(described.goal, { ours, ratio });
  return { ...described, ours, theirs, ratio, roundRatios, isMet };
}

function judge(
  goal: Goal | null,
  figures: { readonly ours: number | null; readonly ratio: number | null },
): boolean | null {
  const figure = goal === null ? null : figures[goal.of];
  if (goal === null || figure === null) return null;
  return goal.bound === 'at-least' ? figure >= goal.value : figure <= goal.value;
}

export interface SuiteResult {
  readonly comparisons: readonly Comparison[];
  /** Every figure that was taken: by measurement, by server, one per round. */
  readonly samples: unknown;
}

export type EarlierRatio = Pick<Comparison, 'id' | 'ratio'>;

export interface RatioChange {
  readonly id: string;
  readonly title: string;
  readonly before: number;
  readonly now: number;
  /** Above 1: better than before, whichever direction that is. */
  readonly gain: number;
}

/** Ratios of ratios: absolute figures of two days or machines do not compare, ratios to the same servers do. */
export function compareRuns(
  before: readonly EarlierRatio[],
  now: readonly Comparison[],
): readonly RatioChange[] {
  const earlier = new Map(before.map((comparison) => [comparison.id, comparison.ratio]));
  return now.flatMap(({ id, title, against, unit, ratio }) => {
    const old = earlier.get(id);
    if (ratio === null || old === null || old === undefined) return [];
    const gain = unit === 'per-second' ? ratio / old : old / ratio;
    return [{ id, title: `${title} / ${against}`, before: old, now: ratio, gain }];
  });
}
