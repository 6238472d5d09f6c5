import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextTermOf, termSlot } from './eventual-term.ts';

const A = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-abbb-bbbbbbbbbbbb';
const ROUND = 2 ** 20;

describe('nextTermOf', () => {
  it('is higher than the highest, and ends with the slot of its instance', () => {
    const slot = termSlot(A);
    assert.equal(nextTermOf(A, 0), ROUND + slot);
    assert.equal(nextTermOf(A, ROUND + slot - 1), ROUND + slot);
    assert.equal(nextTermOf(A, ROUND + slot), 2 * ROUND + slot);
    assert.equal(nextTermOf(A, ROUND + slot + 1), 2 * ROUND + slot);
    assert.equal(nextTermOf(A, 17), ROUND + slot);
  });

  it('gives no term to two instances, wherever each of them begins', () => {
    const termsOf = (uuid: string): readonly number[] => {
      const terms: number[] = [];
      for (let highest = 0; terms.length < 50; highest = terms.at(-1)! + (highest % 7)) {
        terms.push(nextTermOf(uuid, highest));
      }
      return terms;
    };
    const ofB = new Set(termsOf(B));
    assert.deepEqual(
      termsOf(A).filter((term) => ofB.has(term)),
      [],
    );
  });

  it('stays a whole number for as long as anybody takes terms', () => {
    assert.equal(Number.isSafeInteger(nextTermOf(A, 2 ** 52)), true);
  });
});
