import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readLog } from '../soak/row-checker.ts';
import type { Loads } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { reasonAgainstMounting } from '../support/small-disk.ts';
import { waitUntil } from '../support/wait-until.ts';
import { SmallDiskSet } from './small-disk-set.ts';

for (const mode of ['write', 'fsync']) {
  describe(`a full disk in mode ${mode}`, { skip: reasonAgainstMounting() }, () => {
    const running = new AsyncDisposableStack();
    let full: SmallDiskSet;
    let instance: LocalInstance;

    /** Loads without end; resolves when the instance has ended by itself. */
    const loadUntilItEnds = async (): Promise<Loads> => {
      const load = await full.writers.load(instance);
      await waitUntil('the instance ends', () => !instance.isRunning, 90_000);
      await load.ended();
      return load;
    };

    before(async () => {
      full = running.use(await SmallDiskSet.start(1, { TONEARM_WAL_MODE: mode }));
      instance = full.first;
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
      const { disk, set, writers } = full;
      disk.grow();
      instance.start();
      await set.leader();
      const { rows, violations } = await writers.read(instance);
      assert.deepEqual([...violations, ...writers.settle(rows).violations], []);

      const load = await writers.load(instance);
      await waitUntil('it takes rows', () => load.acknowledgements > 1000);
      await load.finish();
      const later = await writers.read(instance);
      const settled = writers.settle(later.rows);
      assert.deepEqual([...load.surprises, ...later.violations, ...settled.violations], []);
    });
  });
}
