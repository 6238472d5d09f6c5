import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  buildComparison,
  type Comparison,
  type ComparisonInput,
  compareRuns,
} from './comparison.ts';

const input: ComparisonInput = {
  id: 'get',
  title: 'get 1x64',
  against: 'Tarantool TREE',
  unit: 'per-second',
  goal: { bound: 'at-least', value: 1.2, of: 'ratio' },
  ours: [120, 100, 140],
  theirs: [100, 200, 70],
};

describe('a comparison', () => {
  it('is the ratio of the medians, and keeps that of each round', () => {
    assert.deepEqual(buildComparison(input), {
      id: 'get',
      title: 'get 1x64',
      against: 'Tarantool TREE',
      unit: 'per-second',
      goal: { bound: 'at-least', value: 1.2, of: 'ratio' },
      ours: 120,
      theirs: 100,
      ratio: 1.2,
      roundRatios: [1.2, 0.5, 2],
      isMet: true,
    });
  });

  it('misses a lower bound that it is below, and an upper one that it is above', () => {
    const ratios = { ours: [11], theirs: [10] };
    const isMet = (bound: 'at-least' | 'at-most', value: number): boolean | null =>
      buildComparison({ ...input, ...ratios, goal: { bound, value, of: 'ratio' } }).isMet;
    assert.deepEqual(
      [isMet('at-least', 1.05), isMet('at-least', 1.2), isMet('at-most', 1.2), isMet('at-most', 1)],
      [true, false, true, false],
    );
  });

  it('may have a goal of our own figure, which needs nobody else', () => {
    const goal = { bound: 'at-most', value: 2, of: 'ours' } as const;
    const alone = buildComparison({ ...input, goal, ours: [1.9], theirs: [] });
    assert.deepEqual([alone.isMet, alone.ratio], [true, null]);
    assert.equal(buildComparison({ ...input, goal, ours: [2.1], theirs: [] }).isMet, false);
  });

  it('is not met and not missed when a side was not measured', () => {
    const { ours, ratio, roundRatios, isMet } = buildComparison({ ...input, ours: [] });
    assert.deepEqual(
      { ours, ratio, roundRatios, isMet },
      {
        ours: null,
        ratio: null,
        roundRatios: [],
        isMet: null,
      },
    );
  });
});

describe('two runs', () => {
  const run = (ratio: number | null, unit: Comparison['unit'] = 'per-second'): Comparison => ({
    ...buildComparison({ ...input, unit }),
    ratio,
  });

  it('are compared by their ratios, and more is better for a rate', () => {
    assert.deepEqual(compareRuns([run(0.5)], [run(1)]), [
      { id: 'get', title: 'get 1x64 / Tarantool TREE', before: 0.5, now: 1, gain: 2 },
    ]);
  });

  it('gain when time or memory becomes less', () => {
    assert.deepEqual(
      compareRuns([run(0.5, 'ms')], [run(1, 'ms')]).map(({ gain }) => gain),
      [0.5],
    );
  });

  it('have nothing to say of what only one of them measured', () => {
    assert.deepEqual(compareRuns([], [run(1)]), []);
    assert.deepEqual(compareRuns([run(null)], [run(1)]), []);
    assert.deepEqual(compareRuns([run(1)], [run(null)]), []);
  });
});
