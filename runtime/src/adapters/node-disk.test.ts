import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { NodeDisk } from './node-disk.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array | undefined): string | undefined =>
  read === undefined ? undefined : new TextDecoder().decode(read);

/** What every disk promises; `folder` keeps the cases apart. */
function describeDisk(name: string, disk: () => Disk): void {
  describe(name, () => {
    it('reads what was written, and undefined where nothing is', async () => {
      await disk().writeAtomic('a/b/file', bytes('one'));
      await disk().writeAtomic('a/b/file', bytes('two'));
      assert.equal(text(await disk().read('a/b/file')), 'two');
      assert.equal(await disk().read('a/b/none'), undefined);
      assert.equal(await disk().read('none/none'), undefined);
    });

    it('appends at the end, and cuts', async () => {
      const file = await disk().openAppend('log');
      file.write(bytes('12'));
      assert.equal(text(await disk().read('log')), '12');
      file.write(bytes('34'));
      await file.sync();
      await file.close();
      const again = await disk().openAppend('log');
      again.write(bytes('5'));
      await again.close();
      assert.equal(text(await disk().read('log')), '12345');
      assert.equal(await disk().size('log'), 5);
      await disk().truncate('log', 3);
      assert.equal(text(await disk().read('log')), '123');
    });

    it('reads parts, shorter at the end, and tells sizes', async () => {
      await disk().writeAtomic('part', bytes('12345'));
      assert.equal(text(await disk().readPart('part', 1, 3)), '234');
      assert.equal(text(await disk().readPart('part', 3, 9)), '45');
      assert.equal(text(await disk().readPart('part', 9, 9)), '');
      assert.equal(await disk().readPart('no part', 0, 1), undefined);
      assert.equal(await disk().size('part'), 5);
      assert.equal(await disk().size('no part'), undefined);
    });

    it('renames files over files, and folders', async () => {
      await disk().writeAtomic('r/from', bytes('new'));
      await disk().writeAtomic('r/to', bytes('old'));
      await disk().rename('r/from', 'r/to');
      assert.deepEqual(await disk().list('r'), ['to']);
      await disk().rename('r', 's/t');
      assert.deepEqual(await disk().list('r'), []);
      assert.equal(text(await disk().read('s/t/to')), 'new');
      await assert.rejects(disk().rename('r', 'x'), /ENOENT/);
    });

    it('lists names in order, folders too', async () => {
      await disk().writeAtomic('l/b', bytes(''));
      await disk().writeAtomic('l/a/deep', bytes(''));
      assert.deepEqual(await disk().list('l'), ['a', 'b']);
      assert.deepEqual(await disk().list('l/none'), []);
    });

    it('removes files and folders, and does nothing where none is', async () => {
      await disk().writeAtomic('d/a/file', bytes(''));
      await disk().remove('d/a');
      await disk().remove('d/a');
      await disk().remove('none/at/all');
      assert.deepEqual(await disk().list('d'), []);
    });
  });
}

describe('NodeDisk on a file system', () => {
  let root = '';
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'tonearm-disk-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  describeDisk('NodeDisk', () => new NodeDisk(root));

  it('refuses paths outside its folder', async () => {
    await assert.rejects(new NodeDisk(root).read('../secret'), RangeError);
  });

  it('leaves no temporary file behind', async () => {
    await new NodeDisk(root).writeAtomic('t/file', bytes('x'));
    assert.deepEqual(await readdir(path.join(root, 't')), ['file']);
  });
});

const clock = new SimulatedClock();
const random = new SeededRandom(1);
const simulated = new SimulatedDisk({ clock, random, latencyMs: 0 });
describeDisk('SimulatedDisk', () => simulated.mount());

describe('SimulatedDisk at a crash', () => {
  it('loses only what was not synced', async () => {
    const lengths = new Set<number>();
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimulatedDisk({ clock, random: new SeededRandom(seed), latencyMs: 0 });
      const view = disk.mount();
      const file = await view.openAppend('log');
      file.write(bytes('1234'));
      const synced = file.sync();
      file.write(bytes('5678'));
      await synced;
      disk.crash();
      const left = text(await disk.mount().read('log')) ?? '';
      assert.ok('12345678'.startsWith(left) && left.length >= 4, left);
      lengths.add(left.length);
    }
    assert.ok(lengths.size > 1, 'different seeds lose different parts');
  });

  it('keeps the page cache when only the process dies, and answers it no more', async () => {
    const disk = new SimulatedDisk({ clock, random, latencyMs: 0 });
    const view = disk.mount();
    const file = await view.openAppend('log');
    file.write(bytes('12'));
    disk.unmount();
    assert.throws(() => file.write(bytes('3')), /dead/);
    let hasAnswered = false;
    void view.read('log').then(() => {
      hasAnswered = true;
    });
    assert.equal(text(await disk.mount().read('log')), '12');
    await clock.advance(1000);
    assert.equal(hasAnswered, false);
  });

  it('has no more room than it is given, and fails its syncs when it is told to', async () => {
    const disk = new SimulatedDisk({ clock, random, latencyMs: 0 });
    const view = disk.mount();
    const file = await view.openAppend('log');
    disk.faults.capacity = 3;
    assert.throws(() => file.write(bytes('1234')), /ENOSPC/);
    assert.equal(text(await view.read('log')), '123');
    await assert.rejects(view.writeAtomic('more', bytes('1')), /ENOSPC/);
    disk.faults.failSyncs = true;
    await assert.rejects(file.sync(), /EIO/);
  });
});
