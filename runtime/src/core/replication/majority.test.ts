import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { awaited, isAwaited, later } from './awaited-row.ts';
import { defaultProgressLimits, LeaderProgress, requireUnion } from './leader-progress.ts';
import { coversMajority, majorityOf, spareable } from './majority.ts';

const a = { uuid: 'a', incarnation: 1 };
const b = { uuid: 'b', incarnation: 1 };
const again = { uuid: 'b', incarnation: 2 };
const c = { uuid: 'c', incarnation: 1 };
const gone = { uuid: 'x', incarnation: 1 };

function progressOf(instances: readonly string[]): LeaderProgress {
  const progress = new LeaderProgress({
    ...{ own: a, sequence: 10, nowMs: 0, limits: defaultProgressLimits, required: requireUnion },
    isMember: (uuid) => instances.includes(uuid),
    instances: () => instances,
  });
  progress.setSynchronous(true, () => 10);
  return progress;
}

describe('a majority', () => {
  it('is more than half', () => {
    const sizes = [1, 2, 3, 4, 5].map((size) => majorityOf(Array.from({ length: size }, String)));
    assert.deepEqual(sizes, [1, 2, 2, 3, 3]);
  });

  it('counts an instance once, and none that is not of the replica set', () => {
    assert.equal(coversMajority([a, b], ['a', 'b', 'c']), true);
    assert.equal(coversMajority([b, again], ['a', 'b', 'c']), false);
    assert.equal(coversMajority([a, gone], ['a', 'b', 'c']), false);
  });

  it('spares as many as leave it whole, and whoever does not count', () => {
    const all = ['a', 'b', 'c'];
    assert.deepEqual(spareable([c, b], [a], all), [c]);
    assert.deepEqual(spareable([c], [a, b], all), [c]);
    assert.deepEqual(spareable([gone, c], [a, b], all), [gone, c]);
    assert.deepEqual(spareable([gone, b], [a], ['a', 'b']), [gone]);
    assert.deepEqual(spareable([c, b, again], [a], all), [c, b]);
    assert.deepEqual(spareable([b], [a, again], ['a', 'b']), [b]);
  });
});

describe('the leader of a replica set with synchronous spaces', () => {
  it('acknowledges nothing while less than a majority is in sync', () => {
    const progress = progressOf(['a', 'b', 'c']);
    progress.pulled(b, 10, 1);
    assert.equal(progress.acknowledged([a]), 0);
    assert.deepEqual(progress.missing([a], 1), ['b', 'c']);
    assert.deepEqual(progress.change([a], 2)?.seats, [a, b]);
    assert.equal(progress.acknowledged([a, b]), 0, 'the record may still be that of before');
    progress.settled('stored');
    assert.equal(progress.acknowledged([a, b]), 10);
    assert.deepEqual(progress.missing([a, b], 3), []);
  });

  it('keeps in the follower without which there is no majority, however slow it is', () => {
    const progress = progressOf(['a', 'b', 'c']);
    progress.pulled(b, 10, 0);
    progress.pulled(c, 10, 0);
    assert.equal(progress.acknowledged([a, b, c]), 10);
    progress.appended(12, 100);
    progress.pulled(b, 11, 200);
    assert.deepEqual(progress.change([a, b, c], 900)?.seats, [a, b]);
    progress.settled('stored');
    assert.equal(progress.change([a, b], 5000), undefined);
    assert.equal(progress.acknowledged([a, b]), 11);
    assert.deepEqual(progress.missing([a, b], 5000), ['b', 'c']);
    progress.pulled(b, 12, 5001);
    assert.equal(progress.acknowledged([a, b]), 12);
  });

  it('does not let go a follower that asks to leave when it is needed', () => {
    const progress = progressOf(['a', 'b']);
    progress.pulled(b, 10, 0);
    progress.leave(b, 5);
    assert.equal(progress.change([a, b], 1), undefined);
    assert.deepEqual(progress.missing([a, b], 1), ['b']);
  });

  it('asks for both instances of two', () => {
    const progress = progressOf(['a', 'b']);
    progress.pulled(b, 10, 0);
    progress.appended(11, 10);
    assert.equal(progress.change([a, b], 3000), undefined);
    assert.equal(progress.acknowledged([a, b]), 10);
  });

  it('distrusts a change whose outcome is unknown and that would leave no majority', () => {
    const progress = progressOf(['a', 'b', 'c']);
    progress.setSynchronous(false, () => 0);
    assert.deepEqual(progress.change([a, b, c], 500)?.seats, [a]);
    progress.settled('unknown');
    progress.setSynchronous(true, () => 10);
    for (const seat of [b, c]) progress.pulled(seat, 10, 600);
    assert.equal(progress.acknowledged([a, b, c]), 0);
    assert.deepEqual(progress.change([a, b, c], 700)?.seats, [a, b, c]);
    progress.settled('stored');
    assert.equal(progress.acknowledged([a, b, c]), 10);
  });

  it('asks for a majority until the row with which the last such space goes has it', () => {
    const progress = progressOf(['a', 'b', 'c']);
    progress.pulled(b, 10, 0);
    assert.equal(progress.acknowledged([a, b]), 10);
    progress.appended(12, 10);
    progress.setSynchronous(false, () => 12);
    assert.equal(progress.change([a, b], 900), undefined);
    progress.pulled(b, 12, 901);
    assert.equal(progress.acknowledged([a, b]), 12);
    progress.appended(13, 1000);
    assert.deepEqual(progress.change([a, b], 1600)?.seats, [a]);
  });
});

describe('what a leader knows of its followers', () => {
  it('tells how far behind each is, since when, and when it asked last', () => {
    const progress = progressOf(['a', 'b', 'c']);
    progress.pulled(b, 10, 100);
    progress.appended(15, 300);
    progress.pulled(b, 12, 400);
    const unheard = { uuid: 'c', isInSync: false, rowsBehind: 15, lagMs: 1000, idleMs: 1000 };
    assert.deepEqual(progress.followers([a, b], 1000), [
      { uuid: 'b', isInSync: true, rowsBehind: 3, lagMs: 700, idleMs: 600 },
      unheard,
    ]);
    progress.pulled(b, 15, 1000);
    assert.deepEqual(progress.followers([a], 1000), [
      { uuid: 'b', isInSync: false, rowsBehind: 0, lagMs: 0, idleMs: 0 },
      unheard,
    ]);
  });
});

describe('an awaited row', () => {
  it('of the own log is positive for nobody', () => {
    assert.deepEqual([awaited(5, true), awaited(5, false)], [-5, 5]);
    assert.deepEqual([isAwaited(-5, 0, 4), isAwaited(-5, 0, 5)], [true, false]);
    assert.deepEqual([isAwaited(5, 4, 9), isAwaited(5, 5, 9)], [true, false]);
    assert.equal(isAwaited(0, 0, 0), false);
  });

  it('of two is the later one, and that of the in-sync members where one of them is', () => {
    assert.deepEqual([later(-3, -5), later(0, -5), later(0, 0)], [-5, -5, 0]);
    assert.deepEqual([later(3, -5), later(-3, 5), later(5, 3), later(5, 0)], [5, 5, 5, 5]);
  });
});
