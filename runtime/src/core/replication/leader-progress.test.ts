import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultProgressLimits, LeaderProgress, requireUnion } from './leader-progress.ts';

const a = { uuid: 'a', incarnation: 1 };
const b = { uuid: 'b', incarnation: 1 };
const c = { uuid: 'c', incarnation: 1 };

function progressFrom(sequence: number): LeaderProgress {
  const limits = defaultProgressLimits;
  return new LeaderProgress({ own: a, sequence, nowMs: 0, limits, required: requireUnion });
}

describe("the leader's view of its followers", () => {
  it('acknowledges what every in-sync seat has', () => {
    const progress = progressFrom(10);
    assert.equal(progress.acknowledged([a]), 10);
    const other = progressFrom(10);
    assert.equal(other.acknowledged([a, b]), 0);
    other.pulled(b, 7, 1);
    assert.equal(other.acknowledged([a, b]), 7);
  });

  it('counts no seat of another incarnation', () => {
    const progress = progressFrom(10);
    progress.pulled({ ...b, incarnation: 2 }, 10, 1);
    assert.equal(progress.acknowledged([a, b]), 0);
    progress.pulled(b, 10, 2);
    assert.equal(progress.acknowledged([a, b]), 0);
  });

  it('takes out a seat that is behind and stands still, and waits for the outcome', () => {
    const progress = progressFrom(10);
    progress.pulled(b, 10, 0);
    progress.appended(11, 1000);
    assert.equal(progress.change([a, b], 1499), undefined);
    assert.deepEqual(progress.change([a, b], 1500), {
      seats: [a],
      reason: 'b does not keep up',
    });
    assert.equal(progress.change([a, b], 1600), undefined);
    assert.equal(progress.acknowledged([a, b]), 10);
    progress.settled('stored');
    assert.equal(progress.acknowledged([a]), 11);
  });

  it('takes out nobody for a time in which the leader stood still, but for being behind after it', () => {
    const progress = progressFrom(10);
    progress.pulled(b, 10, 0);
    progress.appended(11, 1000);
    // Of which 250 ms count.
    progress.paused(3000, 4000);
    assert.equal(progress.change([a, b], 4000), undefined);
    assert.equal(progress.change([a, b], 4249), undefined);
    assert.deepEqual(progress.change([a, b], 4250)?.seats, [a]);
  });

  it('takes out a seat that is behind though the leader stands still again and again', () => {
    const progress = progressFrom(10);
    progress.pulled(b, 10, 0);
    progress.appended(11, 0);
    progress.paused(600, 600);
    assert.equal(progress.change([a, b], 600), undefined);
    progress.paused(600, 1200);
    assert.deepEqual(progress.change([a, b], 1200)?.seats, [a]);
  });

  it('takes out a seat that has left the replica set, even when nothing is written', () => {
    const progress = new LeaderProgress({
      ...{ own: a, sequence: 10, nowMs: 0, limits: defaultProgressLimits, required: requireUnion },
      isMember: (uuid) => uuid !== 'c',
    });
    progress.pulled(b, 10, 0);
    progress.pulled(c, 10, 0);
    assert.deepEqual(progress.change([a, b, c], 1), {
      seats: [a, b],
      reason: 'c has left',
    });
    progress.settled('stored');
    progress.pulled(c, 10, 2);
    assert.equal(progress.change([a, b], 3), undefined);
  });

  it('leaves in a seat that moves, and one that has everything', () => {
    const progress = progressFrom(10);
    progress.pulled(b, 10, 0);
    progress.pulled(c, 1, 400);
    assert.equal(progress.change([a, b, c], 800), undefined);
    progress.pulled(c, 2, 850);
    assert.equal(progress.change([a, b, c], 1300), undefined);
  });

  it('asks again while the outcome is unknown, and requires both meanwhile', () => {
    const progress = progressFrom(10);
    assert.deepEqual(progress.change([a, b], 500)?.seats, [a]);
    progress.settled('unknown');
    progress.pulled(b, 9, 501);
    assert.equal(progress.acknowledged([a, b]), 9);
    assert.deepEqual(progress.change([a, b], 600), {
      seats: [a, b],
      reason: 'the outcome of the last change is not known',
    });
    progress.settled('stored');
    assert.equal(progress.change([a, b], 700), undefined);
  });

  it('lets in a seat only when it has all that was acknowledged, and requires it before', () => {
    const progress = progressFrom(10);
    assert.equal(progress.acknowledged([a]), 10);
    progress.pulled(b, 8, 100);
    assert.equal(progress.change([a], 100), undefined);
    progress.appended(12, 110);
    assert.equal(progress.acknowledged([a]), 10, 'b is waited for');
    progress.pulled(b, 10, 120);
    assert.deepEqual(progress.change([a], 130), { seats: [a, b], reason: 'b has caught up' });
    assert.equal(progress.acknowledged([a]), 10, 'b may be in the record already');
    progress.settled('stored');
    progress.pulled(b, 12, 140);
    assert.equal(progress.acknowledged([a, b]), 12);
  });

  it('waits for no seat that comes in and then stands still', () => {
    const progress = progressFrom(10);
    progress.acknowledged([a]);
    progress.pulled(b, 9, 0);
    progress.change([a], 10);
    progress.appended(11, 20);
    assert.equal(progress.acknowledged([a]), 10);
    progress.change([a], 600);
    assert.equal(progress.acknowledged([a]), 11);
  });

  it('puts an instance that has lost rows back in its new seat only', () => {
    const progress = progressFrom(10);
    const again = { ...b, incarnation: 2 };
    progress.pulled(b, 10, 0);
    progress.pulled(again, 10, 600);
    assert.deepEqual(progress.change([a, b], 601)?.seats, [a, again]);
  });

  it('does not let in a seat that was not heard of for long', () => {
    const progress = progressFrom(10);
    progress.pulled(b, 10, 0);
    assert.equal(progress.change([a], 2001), undefined);
    assert.deepEqual(progress.change([a], 2000)?.seats, [a, b]);
  });

  it('lets no seat in that lacks rows of before this term, although nothing is acknowledged yet', () => {
    const progress = progressFrom(10);
    progress.pulled(c, 7, 10);
    assert.equal(progress.change([a, b], 20), undefined);
    progress.pulled(c, 10, 30);
    assert.deepEqual(progress.change([a, b], 40)?.seats, [a, b, c]);
  });
});

describe('a leader that needs a majority', () => {
  const instances = () => ['a', 'b', 'c'];
  const progressOf = (sequence: number) =>
    new LeaderProgress({
      ...{ own: a, sequence, nowMs: 0, limits: defaultProgressLimits, required: requireUnion },
      ...{ instances, isMajority: true },
    });

  it('acknowledges what a majority has, whoever it is, and takes nobody out', () => {
    const progress = progressOf(10);
    assert.equal(progress.acknowledged([a, b, c]), 0);
    progress.pulled(c, 12, 1);
    progress.appended(13, 1);
    assert.equal(progress.acknowledged([a, b, c]), 12);
    assert.equal(progress.change([a, b, c], 10_000), undefined);
  });

  it('acknowledges rows of earlier terms only with one of its own', () => {
    const progress = progressOf(10);
    progress.pulled(b, 9, 1);
    assert.deepEqual([progress.acknowledged([a, b, c]), progress.lastInSyncEnd], [0, 0]);
    progress.pulled(b, 10, 2);
    assert.deepEqual([progress.acknowledged([a, b, c]), progress.lastInSyncEnd], [10, 10]);
  });

  it('counts no instance that is not enabled, no unknown start of one, and none that leaves', () => {
    const progress = progressOf(10);
    progress.pulled({ uuid: 'd', incarnation: 1 }, 10, 1);
    progress.pulled({ ...b, incarnation: 2 }, 10, 1);
    assert.equal(progress.acknowledged([a, b, c, { uuid: 'd', incarnation: 1 }]), 0);
    progress.pulled(c, 10, 1);
    assert.equal(progress.acknowledged([a, c]), 10);
    progress.leave(c, 1);
    assert.equal(progress.canSpareLeaving([a, c]), false);
    assert.equal(progress.canSpareLeaving([a, { ...b, incarnation: 2 }, c]), true);
  });
});
