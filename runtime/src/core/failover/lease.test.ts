import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Lease } from '../../contract/provider-records.ts';
import {
  attemptApplied,
  attemptSent,
  beginHold,
  deadlineOf,
  type LeaseEntry,
  type LeaseHold,
  type Moment,
  recordRead,
  voidHold,
} from './lease-hold.ts';
import { judgeRecord, observe, versionOf } from './lease-observer.ts';

const at = (monotonicMs: number, wallMs = monotonicMs): Moment => ({ monotonicMs, wallMs });
const TTL = 2000;

function entry(revision: number, change: Partial<Lease> = {}): LeaseEntry {
  const lease: Lease = {
    v: 1,
    term: 3,
    holder: '00000000-0000-4000-8000-000000000001',
    incarnation: 5,
    nonce: 'n0',
    released: false,
    ...change,
  };
  return { lease, revision };
}

function held(): LeaseHold {
  const begun = beginHold(entry(10, { incarnation: 0 }), 5);
  return attemptApplied(attemptSent(begun, 'n1', at(100)), 'n1', 11);
}

describe('the hold of a lease', () => {
  it('counts its deadline from sending, however late the answer comes', () => {
    assert.equal(deadlineOf(held(), TTL, at(900)), 2100);
  });

  it('is not valid before its first success, nor after it was made void', () => {
    assert.equal(deadlineOf(beginHold(entry(10), 5), TTL, at(0)), Number.NEGATIVE_INFINITY);
    assert.equal(deadlineOf(voidHold(held()), TTL, at(0)), Number.NEGATIVE_INFINITY);
  });

  it('expires when the wall clock jumps against the monotonic one', () => {
    assert.equal(deadlineOf(held(), TTL, at(300, 501)), Number.NEGATIVE_INFINITY);
    assert.equal(deadlineOf(held(), TTL, at(600, 399)), Number.NEGATIVE_INFINITY);
  });

  it('counts a short suspension, in which the monotonic clock stands still', () => {
    assert.equal(deadlineOf(held(), TTL, at(300, 500)), 1900);
    assert.equal(deadlineOf(held(), TTL, at(600, 400)), 2100);
  });

  const trying = attemptSent(attemptSent(held(), 'n2', at(700)), 'n3', at(1300));
  const readings: readonly [string, LeaseEntry | undefined, number | 'lost'][] = [
    ['keeps the old deadline while no attempt has applied', entry(11, { nonce: 'n1' }), 2100],
    ['counts from the attempt that is found applied', entry(12, { nonce: 'n2' }), 2700],
    ['counts from the later one if that one applied', entry(12, { nonce: 'n3' }), 3300],
    ['is lost when another wrote', entry(12, { nonce: 'other' }), 'lost'],
    ['is lost when the term is another', entry(12, { nonce: 'n2', term: 4 }), 'lost'],
    ['is lost when another incarnation wrote', entry(12, { nonce: 'n2', incarnation: 6 }), 'lost'],
    ['is lost when it was released', entry(12, { nonce: 'n2', released: true }), 'lost'],
    ['is lost when the record is gone', undefined, 'lost'],
  ];
  for (const [name, read, wanted] of readings) {
    it(name, () => {
      const reading = recordRead(trying, read);
      const got = reading.kind === 'lost' ? 'lost' : deadlineOf(reading.hold, TTL, at(1400));
      assert.equal(got, wanted);
    });
  }
});

describe('the judgement of a record', () => {
  it('waits 1.1 times the TTL from when this revision was first seen', () => {
    const seen = observe(observe(undefined, '7 a', 1000), '7 a', 2000);
    assert.deepEqual(judgeRecord(seen, { released: false }, TTL, 3199), {
      kind: 'held',
      remainingMs: 1,
    });
    assert.deepEqual(judgeRecord(seen, { released: false }, TTL, 3200), { kind: 'expired' });
  });

  it('begins again at every change, and at disappearance', () => {
    assert.deepEqual(observe({ version: '7 a', sinceMs: 0 }, '7 b', 2000), {
      version: '7 b',
      sinceMs: 2000,
    });
    const gone = observe({ version: '7 a', sinceMs: 0 }, versionOf(undefined, 0), 5000);
    assert.equal(judgeRecord(gone, undefined, TTL, 5001).kind, 'held');
  });

  it('takes the absence of a later term for another one', () => {
    const absent = observe(undefined, versionOf(undefined, 0, 1), 1000);
    const again = observe(absent, versionOf(undefined, 0, 2), 9000);
    assert.equal(judgeRecord(again, undefined, TTL, 9001).kind, 'held');
  });

  it('does not wait for a released record', () => {
    const seen = observe(undefined, '7 a', 1000);
    assert.deepEqual(judgeRecord(seen, { released: true }, TTL, 1000), { kind: 'released' });
  });
});
