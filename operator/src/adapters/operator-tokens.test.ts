import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { SimulatedClock } from '@tonearm/runtime/testing';
import { ed25519KeyGenerator, OperatorTokens } from './operator-tokens.ts';

const keys = ed25519KeyGenerator.generate();

function read(token: string): { readonly claims: unknown; readonly isSigned: boolean } {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const publicKey = createPublicKey(keys.publicKey);
  return {
    claims: JSON.parse(Buffer.from(claims, 'base64url').toString()),
    isSigned: verify(
      null,
      Buffer.from(`${header}.${claims}`),
      publicKey,
      Buffer.from(signature, 'base64url'),
    ),
  };
}

describe('OperatorTokens', () => {
  it('signs a token of a minute for one cluster', () => {
    const clock = new SimulatedClock();
    const issuedAt = Math.floor(clock.wallTime().getTime() / 1000);
    const token = new OperatorTokens(keys.privateKey, clock).tokenFor('cluster-a');
    assert.deepEqual(read(token), {
      claims: {
        iss: 'tonearm-operator',
        sub: 'tonearm-operator',
        aud: 'cluster-a',
        iat: issuedAt,
        exp: issuedAt + 60,
      },
      isSigned: true,
    });
  });

  it('uses a token for half its life, and for its cluster only', async () => {
    const clock = new SimulatedClock();
    const tokens = new OperatorTokens(keys.privateKey, clock);
    const first = tokens.tokenFor('cluster-a');
    await clock.advance(29_000);
    assert.equal(tokens.tokenFor('cluster-a'), first);
    assert.notEqual(tokens.tokenFor('cluster-b'), first);
    await clock.advance(1_000);
    assert.notEqual(tokens.tokenFor('cluster-a'), first);
  });
});
