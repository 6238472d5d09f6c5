import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Position } from '../../contract/instance-status.ts';
import { matchPosition, nextProbe } from './log-matching.ts';
import { BEFORE_ALL, TermHistory } from './term-history.ts';

function historyOf(terms: readonly number[]): TermHistory {
  const history = new TermHistory();
  terms.forEach((term, index) => history.extend(term, index + 1));
  return history;
}

/** The number of rows that both logs begin with, by comparing them one by one. */
function sharedRows(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((term, index) => term !== b[index]);
  return differing === -1 ? a.length : differing;
}

/**
 * Logs as terms make them: each term has one leader, which continues the beginning of some earlier log; any log of
 * any moment can be what an instance is left with.
 */
const logs = fc
  .array(fc.record({ from: fc.nat(), keep: fc.nat(), rows: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 2,
    maxLength: 8,
  })
  .map((moments) => {
    const made: number[][] = [[]];
    moments.forEach(({ from, keep, rows }, index) => {
      const base = made[from % made.length] ?? [];
      const kept = base.slice(0, keep % (base.length + 1));
      for (let row = 0; row <= rows; row++) {
        made.push([...kept, ...Array.from({ length: row }, () => index + 1)]);
      }
    });
    return made;
  });

describe('the history of terms', () => {
  it('knows the term of each row, and forgets what is cut', () => {
    const history = historyOf([1, 1, 3, 3, 3]);
    const at = (): readonly Position[] => [0, 1, 2, 3, 9].map((sequence) => history.at(sequence));
    assert.deepEqual(at(), [
      BEFORE_ALL,
      { term: 1, sequence: 1 },
      { term: 1, sequence: 2 },
      { term: 3, sequence: 3 },
      { term: 3, sequence: 5 },
    ]);
    history.truncate(2);
    assert.deepEqual(history.end, { term: 1, sequence: 2 });
    history.extend(2, 4);
    assert.equal(history.has({ term: 3, sequence: 3 }), false);
    assert.equal(history.has({ term: 2, sequence: 4 }), true);
    history.truncate(0);
    assert.deepEqual(history.end, BEFORE_ALL);
  });

  it('finds the last row that two logs share, as a comparison of all rows does', () => {
    fc.assert(
      fc.property(logs, fc.nat(), fc.nat(), (all, one, two) => {
        const leader = all[one % all.length] ?? [];
        const follower = all[two % all.length] ?? [];
        const [leaderHistory, followerHistory] = [historyOf(leader), historyOf(follower)];
        let probe = followerHistory.end;
        for (let round = 0; ; round++) {
          assert.ok(round <= 2 * all.length, 'each round is lower');
          const match = matchPosition(leaderHistory, probe);
          if (match.kind === 'shared') break;
          const next = nextProbe(followerHistory, match.hint);
          assert.ok(next.sequence < probe.sequence);
          probe = next;
        }
        assert.equal(probe.sequence, sharedRows(leader, follower));
      }),
      { numRuns: 1000 },
    );
  });
});
