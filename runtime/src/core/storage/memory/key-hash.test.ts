import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyHash } from './key-hash.ts';
import { MemoryBudget } from './memory-budget.ts';

const equalTo = (wanted: number): { equals(handle: number): boolean } => ({
  equals: (handle) => handle === wanted,
});

describe('a hash of keys', () => {
  it('keeps any number of keys that have one hash', () => {
    const keys = new KeyHash(new MemoryBudget());
    const handles = Array.from({ length: 3000 }, (_, index) => index + 1);
    for (const handle of handles) keys.add(7, handle);
    for (const handle of handles) assert.equal(keys.find(7, equalTo(handle)), handle);
    keys.exchange(7, 2999, 5000);
    assert.equal(keys.find(7, equalTo(5000)), 5000);
    assert.deepEqual(
      keys.handles().toSorted(),
      Uint32Array.from([...handles.filter((handle) => handle !== 2999), 5000]),
    );
    for (const handle of handles) if (handle !== 2999) keys.remove(7, handle);
    keys.remove(7, 5000);
    assert.equal(keys.handles().length, 0);
  });

  it('finds what is left of many keys after others have gone', () => {
    const keys = new KeyHash(new MemoryBudget());
    const hashOf = (handle: number): number => Math.imul(handle, 0x9e37_79b1) >>> 0;
    for (let handle = 1; handle <= 20_000; handle++) keys.add(hashOf(handle), handle);
    for (let handle = 1; handle <= 20_000; handle += 3) keys.remove(hashOf(handle), handle);
    for (let handle = 1; handle <= 20_000; handle++) {
      assert.equal(keys.find(hashOf(handle), equalTo(handle)), handle % 3 === 1 ? 0 : handle);
    }
  });
});
