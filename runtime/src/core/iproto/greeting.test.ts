import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { base64, chapSha1, fromBase64, greeting, provesPassword } from './greeting.ts';

const salt = Uint8Array.from({ length: 32 }, (_, index) => index * 7);

describe('the greeting', () => {
  it('is two lines of 64 bytes', () => {
    const bytes = greeting('00000000-0000-4000-8000-000000000001', salt);
    const text = Buffer.from(bytes).toString('latin1');
    assert.equal(bytes.length, 128);
    assert.equal(
      text.slice(0, 64).trimEnd(),
      'Tarantool 2.11.0 (Binary) 00000000-0000-4000-8000-000000000001',
    );
    assert.deepEqual([text[63], text[127]], ['\n', '\n']);
    assert.equal(text.slice(64, 108), Buffer.from(salt).toString('base64'));
  });

  it('is answered with a proof that only the password gives', () => {
    const sha1 = (...parts: readonly Uint8Array[]): Buffer =>
      createHash('sha1').update(Buffer.concat(parts)).digest();
    const once = sha1(Buffer.from('secret'));
    const mask = sha1(salt.subarray(0, 20), sha1(once));
    assert.deepEqual(
      [...chapSha1('secret', salt)],
      [...once].map((byte, index) => byte ^ (mask[index] ?? 0)),
    );
    assert.equal(provesPassword('secret', salt, chapSha1('secret', salt)), true);
    assert.equal(provesPassword('secret', salt, chapSha1('Secret', salt)), false);
    assert.equal(provesPassword('secret', salt, new Uint8Array(0)), false);
  });

  it('has base64 as everybody else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = base64(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64'));
        assert.deepEqual(fromBase64(text), bytes);
      }),
    );
    assert.equal(fromBase64('no base64'), undefined);
  });
});
