import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wireCopy } from './wire-copy.ts';

describe('a copy of a message', () => {
  it('is equal, and shares nothing with what was sent', () => {
    const sent = {
      nothing: null,
      left: undefined,
      seats: [{ uuid: 'a', incarnation: 1 }, []],
      bytes: Buffer.from('rows').subarray(1),
      at: new Date(0),
      map: new Map([['a', [1]]]),
    };
    const copied = wireCopy(sent);
    assert.deepEqual(copied, structuredClone(sent));
    sent.seats.pop();
    sent.bytes[0] = 0;
    sent.map.get('a')?.push(2);
    assert.deepEqual(
      [copied.seats.length, Buffer.from(copied.bytes).toString(), copied.map.get('a')],
      [2, 'ows', [1]],
    );
  });

  it('refuses what no wire carries', () => {
    assert.throws(() => wireCopy({ answer: [() => 1] }), { name: 'DataCloneError' });
  });
});
