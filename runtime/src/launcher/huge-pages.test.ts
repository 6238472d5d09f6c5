import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withHugePages } from './huge-pages.ts';

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
