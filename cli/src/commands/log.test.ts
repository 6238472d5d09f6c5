import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { VerifiedData } from '@tonearm/runtime/data';

const MAIN = path.join(import.meta.dirname, '../main.ts');
const SEGMENT = 'log/0000000000000001.xlog';
/** As the first release wrote it. */
const GOLDEN = path.join(
  import.meta.dirname,
  '../../../runtime/src/core/storage/testdata/version-1.xlog',
);

interface Answer {
  readonly exitCode: number;
  readonly output: string;
  readonly problems: string;
}

function tonearm(...args: readonly string[]): Promise<Answer> {
  const command = ['--conditions=source', MAIN, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, output, problems) => {
      resolve({ exitCode: Number(error?.code ?? 0), output, problems });
    });
  });
}

function dataDirectory(test: TestContext): string {
  const root = mkdtempSync(path.join(tmpdir(), 'tonearm-log-'));
  test.after(() => rmSync(root, { recursive: true }));
  mkdirSync(path.join(root, 'log'));
  cpSync(GOLDEN, path.join(root, SEGMENT));
  return root;
}

describe('tonearm log', () => {
  it('verifies a log that is whole, as a table and as JSON', async (test) => {
    const root = dataDirectory(test);
    const table = await tonearm('log', 'verify', root);
    assert.equal(table.exitCode, 0, table.problems);
    assert.match(table.output, /^FILE .*\nlog\/0000000000000001\.xlog .* whole\n$/);
    const json = await tonearm('log', 'verify', root, '--output', 'json');
    const { files, problems } = JSON.parse(json.output) as VerifiedData;
    assert.deepEqual([files.map((file) => file.path), problems], [[SEGMENT], []]);
  });

  it('names the first fault, fails, and says what helps', async (test) => {
    const root = dataDirectory(test);
    const bytes = readFileSync(path.join(root, SEGMENT));
    bytes[100]! ^= 1;
    writeFileSync(path.join(root, SEGMENT), bytes);
    const answer = await tonearm('log', 'verify', root);
    assert.equal(answer.exitCode, 1);
    assert.match(answer.output, /damaged at byte \d+: no whole batch/);
    assert.match(answer.problems, /1 problem .* "tonearm log reseed /);
  });

  it('takes a torn end for no problem', async (test) => {
    const root = dataDirectory(test);
    const { length } = readFileSync(path.join(root, SEGMENT));
    truncateSync(path.join(root, SEGMENT), length - 1);
    const answer = await tonearm('log', 'verify', root);
    assert.equal(answer.exitCode, 0, answer.problems);
    assert.match(answer.output, /ends with a torn write at byte \d+/);
  });

  it('dumps the rows of a range, one a line', async (test) => {
    const root = dataDirectory(test);
    const all = await tonearm('log', 'dump', root);
    assert.match(all.output, /^1\/1 begin-term \{"leader":/);
    const some = await tonearm('log', 'dump', root, '--from', '2', '--to', '3', '-o', 'json');
    const rows = some.output.trim().split('\n');
    const sequences = rows.map((line) => (JSON.parse(line) as { sequence: number }).sequence);
    assert.deepEqual(sequences, [2, 3]);
  });

  it('leaves word for the next start to lay the rows aside, in data directories only', async (test) => {
    const root = dataDirectory(test);
    const refused = await tonearm('log', 'reseed', root);
    assert.deepEqual([refused.exitCode, existsSync(path.join(root, 'reseed.json'))], [1, false]);
    writeFileSync(path.join(root, 'instance.json'), '{}');
    const done = await tonearm('log', 'reseed', root);
    assert.deepEqual([done.exitCode, existsSync(path.join(root, 'reseed.json'))], [0, true]);
  });

  it('refuses what is no directory and what is no number', async (test) => {
    const root = dataDirectory(test);
    const nowhere = await tonearm('log', 'verify', path.join(root, 'nowhere'));
    assert.deepEqual([nowhere.exitCode, /is no directory/.test(nowhere.problems)], [2, true]);
    const odd = await tonearm('log', 'dump', root, '--from', 'x');
    assert.deepEqual([odd.exitCode, /--from is the number of a row/.test(odd.problems)], [2, true]);
  });
});
