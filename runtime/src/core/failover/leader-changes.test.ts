import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LeaderChanges, NO_CHANGES, noteLeader } from './leader-changes.ts';

const limits = { threshold: 2, windowMs: 1000 };

/** `a@0 b@100`: a leads at 0, b at 100. */
function after(story: string): LeaderChanges {
  return story.split(' ').reduce((changes, text) => {
    const [leader = '', atMs = ''] = text.split('@');
    return noteLeader(changes, leader, Number(atMs), limits);
  }, NO_CHANGES);
}

describe('noteLeader', () => {
  it('counts changes, not the first leader, nor the same one again [FO-61]', () => {
    const { changedMs, suppressedUntilMs } = after('a@0 a@1 b@2 b@3 a@4 a@5');
    assert.deepEqual(changedMs, [2, 4]);
    assert.equal(suppressedUntilMs, Number.NEGATIVE_INFINITY);
  });

  it('suppresses for a window after one change too many, and counts anew [FO-61]', () => {
    const suppressed = { leader: 'b', changedMs: [], suppressedUntilMs: 1300 };
    assert.deepEqual(after('a@0 b@100 a@200 b@300'), suppressed);
  });

  it('forgets changes of before the window', () => {
    assert.deepEqual(after('a@0 b@100 a@200 b@1150').changedMs, [200, 1150]);
  });
});
