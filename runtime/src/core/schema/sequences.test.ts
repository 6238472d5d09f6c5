import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  advanced,
  type Integer,
  nextValue,
  type SequenceOptions,
  sequenceDefinition,
  sequenceValue,
} from './sequences.ts';

function values(options: SequenceOptions, count: number): readonly (Integer | undefined)[] {
  const definition = sequenceDefinition('ids', options);
  const given: (Integer | undefined)[] = [];
  for (let last: Integer | undefined; given.length < count; given.push(last)) {
    last = nextValue(definition, last);
  }
  return given;
}

describe('a sequence', () => {
  it('counts up from 1, and down from -1', () => {
    assert.deepEqual(
      [values({}, 3), values({ step: -2 }, 2)],
      [
        [1, 2, 3],
        [-1, -3],
      ],
    );
    assert.deepEqual(sequenceDefinition('ids', {}), {
      name: 'ids',
      start: 1,
      min: 1,
      max: 2n ** 63n - 1n,
      step: 1,
      cycle: false,
    });
  });

  it('ends at its last value, or begins anew at its first, which need not be its start', () => {
    assert.equal(nextValue(sequenceDefinition('ids', { max: 5, step: 3 }), 4), undefined);
    assert.deepEqual(values({ step: 3, min: 1, max: 5, cycle: true, start: 2 }, 4), [2, 5, 1, 4]);
    assert.equal(nextValue(sequenceDefinition('ids', {}), 2n ** 63n - 1n), undefined);
  });

  it('is exact beyond 2^53', () => {
    assert.deepEqual(values({ start: 2n ** 53n - 1n }, 3), [
      2 ** 53 - 1,
      2n ** 53n,
      2n ** 53n + 1n,
    ]);
  });

  it('does not fall behind keys that rows bring along', () => {
    const definition = sequenceDefinition('ids', {});
    assert.deepEqual(
      [
        advanced(definition, undefined, 7),
        advanced(definition, 7, 5),
        advanced(definition, 7, 9),
        advanced(definition, 7, 2n ** 64n - 1n),
      ],
      [7, 7, 9, 7],
    );
    assert.equal(advanced(sequenceDefinition('ids', { step: -1 }), -3, -9), -9);
    assert.equal(nextValue(sequenceDefinition('ids', { min: 10 }), 3), 10);
  });

  const refusals: readonly (readonly [string, SequenceOptions, string])[] = [
    ['without a step', { step: 0 }, 'ids.step'],
    ['with its max below its min', { min: 5, max: 1, start: 5 }, 'ids.max'],
    ['that starts outside of its range', { start: -1 }, 'ids.start'],
    ['with a fraction', { step: 0.5 }, 'ids.step'],
    ['beyond 64 bits', { max: 2n ** 63n }, 'ids.max'],
  ];
  for (const [name, options, field] of refusals) {
    it(`is refused ${name}`, () =>
      assert.throws(() => sequenceDefinition('ids', options), { code: 'REQUEST_INVALID', field }));
  }

  it('is set to integers only', () => {
    assert.equal(sequenceValue('ids', 5n), 5);
    assert.throws(() => sequenceValue('ids', 'x'), { field: 'ids.value' });
  });
});
