import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../contract/json.ts';
import { canonicalJson, hashJson, sameJson } from './canonical-json.ts';

/** The same value with every map written in the opposite order. */
function turned(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => turned(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, turned(member)]),
  );
}

const anyJson = fc.jsonValue() as fc.Arbitrary<Json>;

describe('canonicalJson', () => {
  it('is the same whatever the order of the keys, and so is the hash', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        assert.equal(canonicalJson(turned(value)), canonicalJson(value));
        assert.equal(hashJson(turned(value)), hashJson(value));
        assert.equal(sameJson(turned(value), value), true);
      }),
    );
  });

  it('is JSON of the same value', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        // JSON has one zero only.
        const plain: unknown = JSON.parse(JSON.stringify(value));
        assert.deepEqual(JSON.parse(canonicalJson(value)), plain);
      }),
    );
  });

  it('tells different values apart', () => {
    const values: readonly Json[] = [
      null,
      false,
      0,
      '0',
      '',
      [],
      {},
      [0],
      { 0: 0 },
      [[]],
      ['a', 'b'],
      ['b', 'a'],
      ['a,b'],
      { a: { b: 1 } },
    ];
    assert.equal(new Set(values.map(canonicalJson)).size, values.length);
    assert.equal(new Set(values.map(hashJson)).size, values.length);
  });
});

describe('sameJson', () => {
  it('knows absence, which is not null', () => {
    assert.deepEqual(
      [sameJson(undefined, undefined), sameJson(undefined, null), sameJson({}, undefined)],
      [true, false, false],
    );
  });
});
