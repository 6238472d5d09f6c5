import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Credentials } from './credentials.ts';

const CLUSTER = '00000000-0000-4000-8000-000000000001';

function token(
  key: KeyObject,
  claims: Record<string, unknown>,
  header: object = { alg: 'EdDSA', typ: 'JWT' },
): string {
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `Bearer ${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

describe('Credentials', () => {
  const inMinute = (): number => Date.now() / 1000 + 60;
  const first = generateKeyPairSync('ed25519');
  const second = generateKeyPairSync('ed25519');
  const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
  let folder = '';
  let file = '';
  let credentials: Credentials;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'tonearm-keys-'));
    file = path.join(folder, 'keys');
    writeFileSync(file, pem(first.publicKey));
    credentials = new Credentials({
      cookie: 'the-cookie',
      operatorKeysFile: file,
      clusterUuid: () => CLUSTER,
    });
  });
  after(() => rmSync(folder, { recursive: true }));

  it('accepts the cookie as the password of admin, and nothing near it', () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    assert.equal(credentials.accepts(credentials.ownHeader), true);
    assert.equal(credentials.accepts(basic('admin:the-cookie')), true);
    for (const wrong of ['admin:the-cooki', 'admin:', 'root:the-cookie', 'the-cookie']) {
      assert.equal(credentials.accepts(basic(wrong)), false, wrong);
    }
    assert.equal(credentials.accepts(undefined), false);
    assert.equal(credentials.accepts('the-cookie'), false);
  });

  it('accepts a fresh token of a known key for this cluster only', () => {
    const claims = { aud: CLUSTER, exp: inMinute() };
    assert.equal(credentials.accepts(token(first.privateKey, claims)), true);
    assert.equal(credentials.accepts(token(second.privateKey, claims)), false);
    assert.equal(credentials.accepts(token(first.privateKey, { ...claims, aud: 'other' })), false);
    assert.equal(
      credentials.accepts(token(first.privateKey, { ...claims, exp: Date.now() / 1000 - 600 })),
      false,
    );
    assert.equal(credentials.accepts(token(first.privateKey, { aud: CLUSTER })), false);
    assert.equal(credentials.accepts(token(first.privateKey, claims, { alg: 'none' })), false);
    assert.equal(credentials.accepts('Bearer a.b.c'), false);
  });

  it('takes a key that was added to the file, and drops one that was removed', () => {
    writeFileSync(file, pem(second.publicKey));
    utimesSync(file, new Date(), new Date(Date.now() + 5000));
    const claims = { aud: CLUSTER, exp: inMinute() };
    assert.equal(credentials.accepts(token(second.privateKey, claims)), true);
    assert.equal(credentials.accepts(token(first.privateKey, claims)), false);
  });
});
