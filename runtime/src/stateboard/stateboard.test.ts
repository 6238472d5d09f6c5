import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { StateboardStateProvider } from '../adapters/stateboard-state-provider.ts';
import { ProviderError } from '../ports/state-provider.ts';
import { StateboardStore } from './store.ts';

const root = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
after(() => rmSync(root, { recursive: true, force: true }));

const put = (key: string, value: string) =>
  ({ equal: [], compare: [], writes: [{ kind: 'put', key, value }] }) as const;

function folder(): string {
  return mkdtempSync(path.join(root, 'workdir-'));
}

async function startProcess(workdir: string): Promise<{ child: ChildProcess; uri: string }> {
  const passwordFile = path.join(root, 'password');
  writeFileSync(passwordFile, 'secret\n');
  const child = spawn(
    process.execPath,
    [
      ...['--conditions=source', path.join(import.meta.dirname, 'main.ts')],
      ...['--listen', '127.0.0.1:0', '--workdir', workdir, '--password-file', passwordFile],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    const { port } = JSON.parse(line) as { port: number };
    return { child, uri: `127.0.0.1:${port}` };
  }
  throw new Error('the stateboard did not start');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  return exit;
}

describe('StateboardStore', () => {
  it('finds everything again after a restart, the revision too [STB-04]', async () => {
    const workdir = folder();
    const first = await StateboardStore.open({ workdir });
    await first.transact(put('/a', '1'));
    await first.compact();
    await first.transact(put('/b', '2'));
    await first.transact({ equal: [], compare: [], writes: [{ kind: 'delete', key: '/a' }] });
    const before = first.read([{ prefix: '/' }]);
    await first.close();
    const second = await StateboardStore.open({ workdir });
    assert.deepEqual(second.read([{ prefix: '/' }]), before);
    assert.equal(before.revision, 3);
    await second.close();
  });

  it('cuts off a torn end and goes on after it', async () => {
    const workdir = folder();
    const first = await StateboardStore.open({ workdir });
    await first.transact(put('/a', '1'));
    await first.close();
    const journal = path.join(workdir, 'journal');
    const whole = readFileSync(journal);
    appendFileSync(journal, '0badc0de {"r":9,"w":[["/torn"');
    const second = await StateboardStore.open({ workdir });
    assert.deepEqual(readFileSync(journal), whole);
    await second.transact(put('/b', '2'));
    await second.close();
    const third = await StateboardStore.open({ workdir });
    assert.deepEqual(
      third.read([{ prefix: '/' }]).found[0]!.map(({ key }) => key),
      ['/a', '/b'],
    );
    await third.close();
  });

  /** Of four transactions; each entry is a line. */
  async function journalOfFour(workdir: string): Promise<{ file: string; lines: string[] }> {
    const store = await StateboardStore.open({ workdir });
    // Values that look like lines themselves are none.
    for (const key of ['/a', '/b', '/c', '/d']) await store.transact(put(key, '{"r":1,"w":[]}'));
    await store.close();
    const file = path.join(workdir, 'journal');
    return { file, lines: readFileSync(file, 'utf8').split(/(?<=\n)/) };
  }

  it('refuses a journal that is damaged before a transaction, naming the place', async () => {
    const workdir = folder();
    const { file, lines } = await journalOfFour(workdir);
    for (const damaged of [1, 2]) {
      const offset = lines.slice(0, damaged).join('').length;
      for (const place of [3, 15, lines[damaged]!.length - 1]) {
        const bytes = Buffer.from(lines.join(''));
        bytes[offset + place]! ^= 1;
        writeFileSync(file, bytes);
        await assert.rejects(StateboardStore.open({ workdir }), (error: Error) =>
          error.message.includes(`${file} is damaged at byte ${offset}`),
        );
        assert.deepEqual(readFileSync(file), bytes);
      }
    }
  });

  it('cuts off a whole last line that is damaged, with nothing behind it', async () => {
    const workdir = folder();
    const { file, lines } = await journalOfFour(workdir);
    const bytes = Buffer.from(lines.join(''));
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(file, bytes);
    const store = await StateboardStore.open({ workdir });
    assert.deepEqual(
      store.read([{ prefix: '/' }]).found[0]!.map(({ key }) => key),
      ['/a', '/b', '/c'],
    );
    await store.close();
  });

  it('limits the history that can be watched', async () => {
    const store = await StateboardStore.open({ workdir: folder(), historyLength: 2 });
    for (const value of ['1', '2', '3']) await store.transact(put('/a', value));
    assert.equal(store.compacted, store.revision - 2);
    assert.deepEqual(
      store.changesFrom(0, '/').map(({ value }) => value),
      ['2', '3'],
    );
    await store.close();
  });
});

describe('tonearm-stateboard', () => {
  it('keeps what it has answered when it is killed [STB-01, STB-04]', async () => {
    const workdir = folder();
    const first = await startProcess(workdir);
    const options = { timeoutMs: 5_000 };
    const before = new StateboardStateProvider({
      uri: first.uri,
      prefix: '/c1/',
      password: 'secret',
    });
    await before.transact(put('lock', '{"v":1}'), options);
    const entry = await before.get('lock', options);
    await end(first.child, 'SIGKILL');
    await assert.rejects(
      before.transact(put('lock', '{"v":2}'), options),
      (error) => error instanceof ProviderError && error.kind === 'refused',
    );
    await before.close();
    const second = await startProcess(workdir);
    const provider = new StateboardStateProvider({
      uri: second.uri,
      prefix: '/c1/',
      password: 'secret',
    });
    assert.deepEqual(await provider.get('lock', options), entry);
    await provider.close();
    assert.equal(await end(second.child, 'SIGTERM'), 0);
  });

  it('answers only those who know the password [STB-03]', async () => {
    const { child, uri } = await startProcess(folder());
    const stranger = new StateboardStateProvider({ uri, prefix: '/c1/', password: 'wrong' });
    await assert.rejects(stranger.get('lock', { timeoutMs: 5_000 }), /password of the stateboard/);
    await assert.rejects(
      stranger.watch('', 1, () => undefined, new AbortController().signal),
      /password of the stateboard/,
    );
    await stranger.close();
    assert.equal(await end(child, 'SIGTERM'), 0);
  });

  it('refuses to start without a working directory', async () => {
    const main = path.join(import.meta.dirname, 'main.ts');
    const child = spawn(process.execPath, ['--conditions=source', main], { stdio: 'ignore' });
    assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 1);
  });
});
