import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { median, orderOfRound } from './statistics.ts';

describe('the median', () => {
  it('is the middle one, whatever the order', () => {
    assert.equal(median([9, 1, 5]), 5);
  });

  it('is between the two middle ones of an even count', () => {
    assert.equal(median([4, 1, 100, 2]), 3);
  });

  it('is not moved by one run that was disturbed', () => {
    assert.equal(median([10, 11, 12, 11, 90_000]), 11);
  });

  it('of nothing is no number', () => {
    assert.equal(median([]), Number.NaN);
  });
});

describe('the order of a round', () => {
  it('begins with another one each time, and comes round', () => {
    const rounds = [0, 1, 2, 3].map((round) => orderOfRound(['a', 'b', 'c'], round).join(''));
    assert.deepEqual(rounds, ['abc', 'bca', 'cab', 'abc']);
  });

  it('of nobody is empty', () => {
    assert.deepEqual(orderOfRound([], 3), []);
  });
});
