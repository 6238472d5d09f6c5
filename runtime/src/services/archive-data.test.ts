import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { archiveData } from './archive-data.ts';

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

/** Its process dies at the rename after so many. */
function dyingAfter(operations: number, real: Disk): Disk {
  let left = operations;
  return {
    ...real,
    rename: (from, to) => {
      left -= 1;
      return left < 0 ? Promise.reject(new Error('crash')) : real.rename(from, to);
    },
  };
}

describe('archiveData', () => {
  it('moves everything aside but the lock of the folder', async () => {
    const disk = filled();
    await archiveData(disk.mount(), 'old');
    assert.deepEqual(disk.names('.').toSorted(), ['.lock', 'expelled']);
    assert.deepEqual(disk.names('expelled/old').toSorted(), ['config', 'instance.json', 'log']);
  });

  it('leaves, wherever it is cut off, an instance that knows that it was expelled and does it again', async () => {
    const kept: string[] = [];
    for (let operations = 0; operations <= 3; operations++) {
      const disk = filled();
      await archiveData(dyingAfter(operations, disk.mount()), 'old').catch(() => undefined);
      kept.push(
        disk
          .names('.')
          .filter((name) => !/^(\.lock|expelled)$/.test(name))
          .join(' '),
      );
      await archiveData(disk.mount(), 'old');
      assert.deepEqual(disk.names('expelled/old'), ['config', 'instance.json', 'log']);
    }
    // The config says it, and the identity says of whom: these two go last.
    assert.deepEqual(kept, [
      'config instance.json log',
      'config instance.json',
      'instance.json',
      '',
    ]);
  });

  it('has nothing to do in an empty folder', async () => {
    const disk = newDisk();
    await archiveData(disk.mount(), 'old');
    assert.deepEqual(disk.names('.'), []);
  });
});
