import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Appointment, Lease } from '../../contract/provider-records.ts';
import { NO_LAPSES, noteLapse } from './lapses.ts';

function records(
  term: number,
  holder: string,
  incarnation: number,
): { readonly appointment: Appointment; readonly lease: Lease } {
  return {
    appointment: { v: 1, term, leader: holder, inSync: [], reason: '' },
    lease: { v: 1, term, holder, incarnation, nonce: '', released: false },
  };
}

const expired = { kind: 'expired' } as const;
const held = { kind: 'held', remainingMs: 1 } as const;

describe('the memory of leases that ran out', () => {
  it('has the last term of each holder, also of one that never took its lease', () => {
    const first = noteLapse(NO_LAPSES, records(3, 'a', 1), expired);
    const second = noteLapse(first, records(4, 'b', 0), expired);
    const third = noteLapse(second, records(5, 'a', 0), expired);
    assert.deepEqual(
      [...third],
      [
        ['a', 5],
        ['b', 4],
      ],
    );
  });

  it('takes the leader where the record is absent', () => {
    const { appointment } = records(3, 'a', 1);
    const noted = noteLapse(NO_LAPSES, { appointment, lease: undefined }, expired);
    assert.deepEqual([...noted], [['a', 3]]);
  });

  it('ends when somebody has taken the lease, not when one is appointed', () => {
    const before = new Map([['a', 3]]);
    assert.deepEqual([...noteLapse(before, records(4, 'b', 0), held)], [['a', 3]]);
    assert.deepEqual([...noteLapse(before, records(4, 'b', 1), held)], []);
  });

  it('knows nothing of a lease that was released, or of a set that was never led', () => {
    assert.deepEqual([...noteLapse(NO_LAPSES, records(3, 'a', 1), { kind: 'released' })], []);
    const none = { appointment: undefined, lease: undefined };
    assert.deepEqual([...noteLapse(NO_LAPSES, none, expired)], []);
  });
});
