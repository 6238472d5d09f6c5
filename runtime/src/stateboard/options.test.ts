import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { readStateboardOptions } from './options.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
}

describe('readStateboardOptions', () => {
  it('takes arguments before the environment, and that before the file [STB-01]', () => {
    const config = file(
      'config.yaml',
      'workdir: /from/file\nlisten: "[::1]:1"\npassword: of-file\n',
    );
    const env = { TONEARM_STATEBOARD_LISTEN: '0.0.0.0:2', TONEARM_STATEBOARD_CONFIG: config };
    assert.deepEqual(readStateboardOptions(['--workdir', '/from/arguments'], env), {
      ...{ host: '0.0.0.0', port: 2, workdir: '/from/arguments', password: 'of-file' },
      pidFile: undefined,
    });
  });

  it('reads the password from a file, without the end of its line', () => {
    const password = file('password', 'secret\n');
    const args = ['--workdir', 'w', '--password-file', password, '--pid-file', 'p'];
    assert.deepEqual(readStateboardOptions(args, { TONEARM_STATEBOARD_PASSWORD: 'other' }), {
      ...{ host: 'localhost', port: 4401, workdir: 'w', password: 'secret', pidFile: 'p' },
    });
  });

  it('names what is wrong', () => {
    const config = file('wrong.yaml', 'workdir: 5\n');
    const wrong = (args: readonly string[]) => () => readStateboardOptions(args, {});
    assert.throws(wrong([]), /--workdir is required/);
    assert.throws(wrong(['--workdir', 'w', '--listen', 'nowhere']), /--listen must be HOST:PORT/);
    assert.throws(wrong(['--config', config]), /wrong\.yaml: "workdir": .*expected string/);
    assert.throws(wrong(['--wrokdir', 'w']), /wrokdir/);
  });
});
