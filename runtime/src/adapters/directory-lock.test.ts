import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { DirectoryLockedError, lockDirectory } from './directory-lock.ts';

const root = mkdtempSync(path.join(tmpdir(), 'tonearm-lock-'));
after(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string): string {
  const made = path.join(root, name);
  mkdirSync(made, { recursive: true });
  return made;
}

/** Another process that holds the folder. */
async function holder(directory: string): Promise<ChildProcess> {
  const module = new URL('./directory-lock.ts', import.meta.url).href;
  const code = `const { lockDirectory } = await import(${JSON.stringify(module)});
    await lockDirectory(${JSON.stringify(directory)}); process.send('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise((resolve) => child.once('message', resolve));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

describe('lockDirectory', () => {
  it('refuses a second holder until the first has released', async () => {
    const directory = folder('twice');
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), DirectoryLockedError);
    await lock.release();
    await (await lockDirectory(directory)).release();
    assert.deepEqual(readdirSync(directory), []);
  });

  it('refuses while another process holds it, even a stopped one, and not after its death', async () => {
    const directory = folder('process');
    const child = await holder(directory);
    child.kill('SIGSTOP');
    await assert.rejects(lockDirectory(directory), DirectoryLockedError);
    await kill(child);
    assert.equal(readdirSync(directory).length, 1, 'a stale flag is left');
    const lock = await lockDirectory(directory);
    assert.equal(readdirSync(directory).length, 1, 'the stale flag is gone');
    await lock.release();
  });

  it('lets at most one of many at once have it', async () => {
    const directory = folder('race');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => lockDirectory(directory)),
    );
    const held = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [outcome.value] : [],
    );
    assert.ok(held.length <= 1);
    for (const lock of held) await lock.release();
  });

  it('works in a folder whose path is longer than a socket address', {
    skip: process.platform !== 'linux',
  }, async () => {
    const directory = folder('x'.repeat(150));
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), DirectoryLockedError);
    await lock.release();
  });
});
