import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { longestSilence } from './write-load.ts';

describe('longestSilence', () => {
  it('is the longest time between two answers from a moment on, with the last one before it', () => {
    assert.deepEqual(longestSilence([0, 90, 100, 400, 410], 150), { ms: 300, endedMs: 400 });
    assert.deepEqual(longestSilence([0, 500, 510, 530], 505), { ms: 20, endedMs: 530 });
  });

  it('ends at once when nothing was answered', () => {
    assert.deepEqual(longestSilence([], 7), { ms: 0, endedMs: 7 });
  });
});
