import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bucketIdStrCrc32, type ShardKeyPart, strCrc32 } from './bucket-id.ts';

/** What Tarantool 2.6 prints for `require('digest').crc32(tostring(key))`. */
const vectors: readonly (readonly [ShardKeyPart, number])[] = [
  ['abc', 3384066120],
  ['', 4294967295],
  ['employee-1', 3370545286],
  ['é', 3830739491],
  [1, 1862952476],
  [42, 3515007540],
  [-7, 1426095206],
  [1.5, 629040192],
  [0.1, 1202020641],
  [1e-7, 2317299369],
  [123456789012, 681705988],
  [1e13, 3375905107],
  [1e14, 3638278520],
  [18446744073709551615n, 2376174300],
  [-1e14, 721228746],
  [true, 4143415682],
  [1e21, 1514803128],
  [1234567.891, 909707108],
];

describe('the strcrc32 hash of a sharding key', () => {
  for (const [key, wanted] of vectors) {
    it(`of ${typeof key} ${String(key)} is Tarantool's`, () => {
      assert.equal(strCrc32([key]), wanted);
    });
  }

  it('of a key in parts goes on from part to part', () => {
    assert.equal(strCrc32(['a', 1]), 1596522478);
  });

  it('gives buckets that count from 1', () => {
    assert.equal(bucketIdStrCrc32('abc', 3000), (3384066120 % 3000) + 1);
    assert.equal(bucketIdStrCrc32(['abc'], 3000), bucketIdStrCrc32('abc', 3000));
    assert.equal(bucketIdStrCrc32('anything', 1), 1);
  });
});
