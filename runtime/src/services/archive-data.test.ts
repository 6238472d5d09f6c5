import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { archiveData, finishArchiving } from './archive-data.ts';

const UUID = '0e000000-0000-4000-8000-000000000001';

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

function filled(): SimulatedDisk {
  const disk = newDisk();
  for (const file of ['instance.json', 'config/meta.yml', 'log/1.xlog', '.lock']) {
    disk.plant(file, new TextEncoder().encode(file));
  }
  return disk;
}

/** Its process dies at the write after so many. */
function dyingAfter(operations: number, real: Disk): Disk {
  let left = operations;
  const orDie = <T>(work: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('crash')) : work();
  };
  return {
    ...real,
    writeAtomic: (file, bytes) => orDie(() => real.writeAtomic(file, bytes)),
    rename: (from, to) => orDie(() => real.rename(from, to)),
    remove: (target) => orDie(() => real.remove(target)),
  };
}

describe('archiveData', () => {
  it('moves everything aside but the lock of the folder', async () => {
    const disk = filled();
    await archiveData(disk.mount(), UUID);
    assert.deepEqual(disk.names('.').toSorted(), ['.lock', 'expelled']);
    assert.deepEqual(disk.names(`expelled/${UUID}`).toSorted(), ['config', 'instance.json', 'log']);
  });

  it('is finished by the next start, wherever it was cut off', async () => {
    // The first write says what is to be done; without it nothing was begun. The last one says that it is done.
    for (let operations = 1; operations <= 5; operations++) {
      const disk = filled();
      await archiveData(dyingAfter(operations, disk.mount()), UUID).catch(() => undefined);
      const again = dyingAfter(operations - 1, disk.mount());
      await finishArchiving(again).catch(() => undefined);
      await finishArchiving(disk.mount());
      assert.deepEqual(disk.names('.'), ['.lock', 'expelled'], `after ${operations}`);
      assert.deepEqual(disk.names(`expelled/${UUID}`), ['config', 'instance.json', 'log']);
    }
  });

  it('keeps what was moved there before under the same names', async () => {
    const disk = filled();
    disk.plant(`expelled/${UUID}/config/meta.yml`, new TextEncoder().encode('before'));
    await archiveData(disk.mount(), UUID);
    const found = disk.names(`expelled/${UUID}`);
    assert.deepEqual(found, ['config', 'config.2', 'instance.json', 'log']);
    const kept = await disk.mount().read(`expelled/${UUID}/config/meta.yml`);
    assert.equal(new TextDecoder().decode(kept), 'before');
  });

  it('is not begun by a start', async () => {
    const disk = filled();
    await finishArchiving(disk.mount());
    assert.deepEqual(disk.names('.'), ['.lock', 'config', 'instance.json', 'log']);
  });

  it('has nothing to do in an empty folder', async () => {
    const disk = newDisk();
    await archiveData(disk.mount(), UUID);
    assert.deepEqual(disk.names('.'), []);
  });
});
