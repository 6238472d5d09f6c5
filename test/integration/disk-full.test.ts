import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { readLog } from '../soak/row-checker.ts';
import { type Loads, RowWriters } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-cluster.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const SEED = 1;
const SMALL = 'size=24m';
const LARGE = 'size=96m';

function mount(...args: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync('/bin/mount', args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Whether this user may mount, found out by doing it. */
function reasonAgainstMounting(): string | false {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-mount-'));
  const reason = mount('-t', 'tmpfs', '-o', SMALL, 'tmpfs', folder);
  if (reason === undefined) spawnSync('/bin/umount', [folder]);
  rmSync(folder, { recursive: true });
  return reason === undefined ? false : `a small disk cannot be mounted here: ${reason}`;
}

for (const mode of ['write', 'fsync']) {
  describe(`a full disk in mode ${mode}`, { skip: reasonAgainstMounting() }, () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-full-'));
    // The working directory of the instance; what it prints goes beside it.
    const disk = path.join(folder, 'row-0');
    const running = new AsyncDisposableStack();
    let set: ReplicaSet;
    let instance: LocalInstance;
    let writers: RowWriters;

    /** Loads without end; resolves when the instance has ended by itself. */
    const loadUntilItEnds = async (): Promise<Loads> => {
      const load = await writers.load(instance);
      await waitUntil('the instance ends', () => !instance.isRunning, 90_000);
      await load.ended();
      return load;
    };

    before(async () => {
      mkdirSync(disk);
      assert.equal(mount('-t', 'tmpfs', '-o', SMALL, 'tmpfs', disk), undefined);
      running.defer(() => {
        // Detached at once, also while what was ended is still letting go of it.
        spawnSync('/bin/umount', ['-l', disk]);
        rmSync(folder, { recursive: true });
      });
      const starting = ReplicaSet.start({
        ...{ instances: 1, application: ROWS, role: 'soak.rows', folder },
        environment: { TONEARM_WAL_MODE: mode, TONEARM_LOG_LEVEL: 'info' },
      });
      set = running.adopt(await starting, (started) => started.stop());
      instance = set.instances[0]!;
      writers = new RowWriters(set, new SeededRandom(SEED));
    });
    after(() => running.disposeAsync());

    it('stops the instance, which says why, and loses nothing that was acknowledged', async () => {
      const load = await loadUntilItEnds();
      assert.deepEqual(load.surprises, []);
      assert.ok(load.acknowledgements > 0, 'it has taken rows before');
      assert.match(instance.log(), /the storage failed/);
      assert.match(instance.log(), /ENOSPC/);
      assert.deepEqual(readLog(instance.workdir).violations, []);
    });

    it('stops it again when it is started without room', async () => {
      const saidBefore = instance.log().length;
      instance.start();
      await waitUntil('the instance ends', () => !instance.isRunning);
      assert.match(instance.log().slice(saidBefore), /ENOSPC/);
      assert.deepEqual(readLog(instance.workdir).violations, []);
    });

    it('goes on once there is room', async () => {
      assert.equal(mount('-o', `remount,${LARGE}`, disk), undefined);
      instance.start();
      await set.leader();
      const { rows, violations } = await writers.read(instance);
      assert.deepEqual([...violations, ...writers.settle(rows).violations], []);

      const load = await writers.load(instance);
      await waitUntil('it takes rows', () => load.acknowledgements > 1000);
      load.stop();
      await waitUntil('everything is answered', () => load.isQuiet);
      load.close();
      const later = await writers.read(instance);
      const settled = writers.settle(later.rows);
      assert.deepEqual([...load.surprises, ...later.violations, ...settled.violations], []);
    });
  });
}
