import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heapArguments, withHugePages } from './process-memory.ts';

describe('huge pages', () => {
  it('are asked for', () => {
    assert.equal(withHugePages(undefined), 'glibc.malloc.hugetlb=1');
  });

  it('leave alone what the user has set', () => {
    assert.equal(
      withHugePages('glibc.malloc.arena_max=2'),
      'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1',
    );
    assert.equal(withHugePages('glibc.malloc.hugetlb=0'), 'glibc.malloc.hugetlb=0');
  });
});

describe('the heap', () => {
  it('begins larger than by default, unless the user has said how large', () => {
    const flag = '--initial-old-space-size';
    assert.deepEqual(heapArguments(['--conditions=source'], undefined), [`${flag}=64`]);
    assert.deepEqual(heapArguments([`${flag}=32`], ''), []);
    assert.deepEqual(heapArguments([], `--enable-source-maps ${flag}=32`), []);
  });
});
