import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { StateboardStateProvider } from '../adapters/stateboard-state-provider.ts';
import { providerKeys } from '../contract/provider-records.ts';
import { silentLogger } from '../foundation/logger.ts';
import { StateboardServer } from '../stateboard/server.ts';
import { StateboardStore } from '../stateboard/store.ts';

const HOLDER = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';
const SET = '00000000-0000-4000-8000-0000000000aa';
const options = { timeoutMs: 5_000 };

interface Launched {
  readonly launcher: ChildProcess;
  readonly childPid: number;
  readonly ended: Promise<number | null>;
}

describe('tonearm-instance', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'tonearm-launcher-'));
  let store: StateboardStore;
  let server: StateboardServer;
  let provider: StateboardStateProvider;
  let uri = '';

  before(async () => {
    store = await StateboardStore.open({ workdir: root });
    server = new StateboardServer({ store, password: '', logger: silentLogger });
    uri = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
    provider = new StateboardStateProvider({ uri, prefix: '/c/', password: '' });
  });
  after(async () => {
    await provider.close();
    await server.close();
    await store.close();
    rmSync(root, { recursive: true });
  });

  const put = (key: string, value: unknown) =>
    provider.transact(
      { compare: [], writes: [{ kind: 'put', key, value: JSON.stringify(value) }] },
      options,
    );
  const read = async (key: string): Promise<unknown> => {
    const entry = await provider.get(key, options);
    return entry && JSON.parse(entry.value);
  };
  const lease = (holder: string, released = false) =>
    ({ v: 1, term: 3, holder, incarnation: 7, nonce: 'n', released }) as const;
  const lock = (holder: string, released = false) =>
    ({ v: 1, holder, incarnation: 7, nonce: 'n', released }) as const;

  async function launchChild(): Promise<Launched> {
    const parent = new URL('./parent.ts', import.meta.url).href;
    const entry = path.join(root, 'entry.mjs');
    const held = {
      provider: { kind: 'stateboard', uri, prefix: '/c/', password: '' },
      holder: HOLDER,
      incarnation: 7,
      leases: [SET],
      lock: true,
    };
    writeFileSync(
      entry,
      `import { connectToLauncher } from ${JSON.stringify(parent)};
       const launcher = connectToLauncher();
       launcher.report(${JSON.stringify(held)});
       launcher.onGone(() => process.exit(9));
       process.on('SIGTERM', () => process.exit(42));
       console.log('pid', process.pid);
       setInterval(() => {}, 1000);`,
    );
    const main = path.join(import.meta.dirname, 'main.ts');
    const launcher = spawn(process.execPath, ['--conditions=source', main, entry], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => launcher.once('exit', resolve));
    for await (const line of createInterface({ input: launcher.stdout })) {
      const pid = /^pid (\d+)$/.exec(line)?.[1];
      if (pid !== undefined) return { launcher, childPid: Number(pid), ended };
    }
    throw new Error('the child did not start');
  }

  it('releases the lease and the lock of a child that was killed, and ends as it did', async () => {
    await put(providerKeys.lease(SET), lease(HOLDER));
    await put(providerKeys.lock, lock(HOLDER));
    const { childPid, ended } = await launchChild();
    process.kill(childPid, 'SIGKILL');
    assert.equal(await ended, 128 + 9);
    assert.deepEqual(await read(providerKeys.lease(SET)), lease(HOLDER, true));
    assert.deepEqual(await read(providerKeys.lock), lock(HOLDER, true));
  });

  it('leaves the records of others alone', async () => {
    await put(providerKeys.lease(SET), lease(OTHER));
    await put(providerKeys.lock, lock(OTHER));
    const { childPid, ended } = await launchChild();
    process.kill(childPid, 'SIGKILL');
    await ended;
    assert.deepEqual(await read(providerKeys.lease(SET)), lease(OTHER));
    assert.deepEqual(await read(providerKeys.lock), lock(OTHER));
  });

  it('passes SIGTERM on and returns the exit code of the child', async () => {
    const { launcher, ended } = await launchChild();
    launcher.kill('SIGTERM');
    assert.equal(await ended, 42);
  });

  it('takes its child with it when it is killed', async () => {
    const { launcher, ended } = await launchChild();
    const silent = new Promise((resolve) => launcher.stderr?.resume().once('end', resolve));
    launcher.kill('SIGKILL');
    await ended;
    // The child has the other end of this pipe too: it closes when both are dead.
    await silent;
    assert.equal(launcher.signalCode, 'SIGKILL');
  });
});
