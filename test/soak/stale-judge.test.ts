import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeStaleRound, type StaleRound } from './stale-judge.ts';
import type { RowKey, StaleWrite } from './stale-writers.ts';

function write(number: number, sentMs: number, outcome: StaleWrite['outcome']): StaleWrite {
  return { row: [7, 0, number], sentMs, outcome };
}

function has(name: string, ...numbers: readonly number[]): StaleRound['found'][number] {
  return { name, rows: new Set(numbers.map((number) => `7-0-${number}`)) };
}

/** The old leader stood still from 100 to 1500; another term was seen to have begun at 1300. */
const round: StaleRound = {
  ...{ old: 'a', term: 4, silence: { fromMs: 100, untilMs: 1500 } },
  begun: { name: 'b', term: 5, answeredMs: 1300 },
  writes: [
    { ...write(1, 90, 'acknowledged'), answeredMs: 1501 },
    write(2, 95, 'open'),
    write(3, 110, 'refused'),
  ],
  found: [has('a', 1), has('b', 1)],
  applied: () => [
    [7, 0, 1],
    [7, 0, 2],
  ],
};

function violations(change: Partial<StaleRound>): readonly string[] {
  return judgeStaleRound({ ...round, ...change }).violations;
}

describe('the judge of rounds with stale leaders', () => {
  it('finds nothing where the next leader has what was acknowledged, however late', () => {
    assert.deepEqual(judgeStaleRound(round), {
      violations: [],
      acknowledged: ['7-0-1'],
      counts: { acknowledged: 1, refused: 1, open: 1, 'acknowledged late': 1 },
    });
  });

  it('finds an acknowledged row that is missing', () => {
    assert.deepEqual(violations({ found: [has('b')] }), [
      'acknowledged and missing on b: 1 rows, 7-0-1',
    ]);
  });

  it('finds a refused row that is there', () => {
    assert.deepEqual(violations({ found: [has('b', 1, 3)] }), [
      'refused and there on b: 1 rows, 7-0-3',
    ]);
  });

  it('finds instances that differ', () => {
    assert.deepEqual(violations({ found: [has('a', 1, 2), has('b', 1)] }), [
      'instances have 2, 1 rows of it',
    ]);
  });

  const late = (): readonly RowKey[] => [[7, 0, 3]];

  it('finds a row that was applied after it had stood still over the beginning of another term', () => {
    assert.deepEqual(violations({ applied: late }), [
      'a has applied in term 4 after b had begun term 5: 1 rows, 7-0-3',
    ]);
  });

  it('finds a row that was sent after the beginning of another term where the old leader ran on', () => {
    const { silence, ...running } = round;
    const judged = { ...running, silence: undefined, applied: late };
    assert.deepEqual(judgeStaleRound(judged).violations, []);
    const sent = [...round.writes.slice(0, 2), write(3, 1310, 'refused')];
    assert.deepEqual(judgeStaleRound({ ...judged, writes: sent }).violations, [
      'a has applied in term 4 after b had begun term 5: 1 rows, 7-0-3',
    ]);
  });

  it('lets an old leader write on where it went on before another term began', () => {
    const begun = { name: 'b', term: 5, answeredMs: 1600 };
    assert.deepEqual(violations({ begun, applied: late }), []);
  });
});
