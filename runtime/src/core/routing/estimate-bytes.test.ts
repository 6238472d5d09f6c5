import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { estimateBytes } from './estimate-bytes.ts';

describe('estimateBytes', () => {
  it('counts what texts and bytes hold, however deep they lie', () => {
    const large = [{ name: 'x'.repeat(1000) }, new Uint8Array(500)];
    assert.ok(estimateBytes(large) >= 1500);
    assert.ok(estimateBytes(large) < 1700);
  });

  it('counts small values as something', () => {
    assert.ok(estimateBytes([1, true, null]) > 0);
  });
});
