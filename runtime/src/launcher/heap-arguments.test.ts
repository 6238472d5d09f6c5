import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heapArguments } from './heap-arguments.ts';

describe('the heap', () => {
  it('begins larger than by default, unless the user has said how large', () => {
    const flag = '--initial-old-space-size';
    assert.deepEqual(heapArguments(['--conditions=source'], undefined), [`${flag}=64`]);
    assert.deepEqual(heapArguments([`${flag}=32`], ''), []);
    assert.deepEqual(heapArguments([], `--enable-source-maps ${flag}=32`), []);
  });
});
