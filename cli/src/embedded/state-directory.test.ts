import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { StateDirectory } from './state-directory.ts';

function folder(test: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'tonearm-state-'));
  test.after(() => rmSync(made, { recursive: true }));
  return made;
}

describe('StateDirectory', () => {
  it('keeps the secret of the API from one start to the next, for its owner alone', (test) => {
    const root = folder(test);
    const secret = new StateDirectory(root).apiSecret();
    assert.match(secret, /^[0-9a-f]{32}$/);
    assert.equal(new StateDirectory(root).apiSecret(), secret);
    assert.equal(statSync(path.join(root, 'api-secret')).mode & 0o777, 0o600);
    assert.notEqual(new StateDirectory(folder(test)).apiSecret(), secret);
  });

  it('makes a new secret when the file does not have one', (test) => {
    const root = folder(test);
    writeFileSync(path.join(root, 'api-secret'), 'abc\n', { mode: 0o600 });
    const secret = new StateDirectory(root).apiSecret();
    assert.equal(readFileSync(path.join(root, 'api-secret'), 'utf8'), `${secret}\n`);
    assert.match(secret, /^[0-9a-f]{32}$/);
  });
});
