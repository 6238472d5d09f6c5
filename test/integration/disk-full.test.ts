import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { readLog } from '../soak/row-checker.ts';
import { type Loads, RowWriters } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { reasonAgainstMounting, SmallDisk } from '../support/small-disk.ts';
import { waitUntil } from '../support/wait-until.ts';

const SEED = 1;

for (const mode of ['write', 'fsync']) {
  describe(`a full disk in mode ${mode}`, { skip: reasonAgainstMounting() }, () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-full-'));
    // The working directory of the instance; what it prints goes beside it.
    const disk = new SmallDisk(path.join(folder, 'row-0'));
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
      disk.mount();
      running.defer(() => {
        disk.unmount();
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
      disk.grow();
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
