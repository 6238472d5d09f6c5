import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { StateboardStateProvider } from '../../runtime/src/adapters/stateboard-state-provider.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { reasonAgainstMounting, SmallDisk } from '../support/small-disk.ts';
import { startStateboardIn } from '../support/stateboard.ts';
import { runStateboardKills } from '../support/stateboard-kills.ts';
import { waitUntil } from '../support/wait-until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-stateboard-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const options = { timeoutMs: 5000 };
const put = (key: string, value: string) =>
  ({ compare: [], writes: [{ kind: 'put', key, value }] }) as const;

describe('a stateboard', () => {
  it('keeps what it has answered, whenever it is killed [STB-04]', async () => {
    const rounds = Number(process.env['TONEARM_STATEBOARD_ROUNDS'] ?? 3);
    const workdir = path.join(folder, 'killed');
    const answers = await runStateboardKills(workdir, { rounds, random: new SeededRandom(1) });
    assert.ok(answers > rounds);
  });

  it('tells how it is used', () => {
    const main = path.resolve(import.meta.dirname, '../../runtime/src/stateboard/main.ts');
    const help = execFileSync(process.execPath, ['--conditions=source', main, '--help']);
    assert.match(help.toString(), /Usage: tonearm-stateboard --workdir FOLDER/);
  });

  it('keeps nothing in memory for a watcher that does not read', async () => {
    const board = await startStateboardIn(path.join(folder, 'watched'));
    const provider = new StateboardStateProvider({ uri: board.uri, prefix: '/w/', password: '' });
    const [host, port] = board.uri.split(':');
    const deaf = connect(Number(port), host);
    const body = JSON.stringify({ prefix: '/w/', fromRevision: 1 });
    const authorization = `Basic ${Buffer.from('client:').toString('base64')}`;
    deaf.write(
      `POST /v1/watch HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    deaf.pause();
    const gone = once(deaf, 'close');
    deaf.on('error', () => undefined);
    const value = 'x'.repeat(1_000_000);
    for (let turn = 0; turn < 60; turn++) await provider.transact(put('a', value), options);
    // What was kept for it would come now; what the history no longer has ends the watch.
    deaf.resume();
    await gone;
    assert.ok(deaf.bytesRead < 30_000_000, `${deaf.bytesRead} bytes were kept`);
    await provider.close();
    await board.kill();
  });

  const noMounts = reasonAgainstMounting();
  it('ends when its disk is full, and goes on with what it has answered', {
    skip: noMounts,
  }, async () => {
    const workdir = path.join(folder, 'full');
    const disk = new SmallDisk(workdir, '3m');
    disk.mount();
    try {
      const board = await startStateboardIn(workdir);
      const exit = once(board.child, 'exit');
      const provider = new StateboardStateProvider({ uri: board.uri, prefix: '/f/', password: '' });
      let answered = 0;
      for (let value = 1; ; value++) {
        const key = `k${value}`;
        const outcome = await provider
          .transact(put(key, 'x'.repeat(100_000)), options)
          .catch(() => undefined);
        if (outcome === undefined) break;
        answered = value;
      }
      assert.deepEqual((await exit)[0], 1);
      await provider.close();
      disk.grow();
      const again = await startStateboardIn(workdir);
      const reader = new StateboardStateProvider({ uri: again.uri, prefix: '/f/', password: '' });
      const { entries } = await reader.list('', options);
      assert.ok(entries.length >= answered, `${entries.length} of ${answered}`);
      await waitUntil('it writes', () =>
        reader.transact(put('later', ''), options).then(() => true),
      );
      await reader.close();
      await again.kill();
    } finally {
      disk.unmount();
    }
  });
});
