import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterError } from '../core/errors.ts';
import { crc32 } from '../core/storage/crc32.ts';
import type { Batch } from '../core/storage/log-format.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { type LogMode, ReplicaLog } from './replica-log.ts';

function newDisk(): SimulatedDisk {
  return new SimulatedDisk({
    clock: new SimulatedClock(),
    random: new SeededRandom(1),
    latencyMs: 0,
  });
}

interface OpenOptions {
  readonly sameBoot?: boolean;
  readonly mode?: LogMode;
}

async function openLog(
  disk: SimulatedDisk,
  { sameBoot = true, mode = 'fsync' }: OpenOptions = {},
): Promise<{ readonly log: ReplicaLog; readonly found: readonly Batch[] }> {
  const found: Batch[] = [];
  const log = new ReplicaLog({ disk: disk.mount(), mode, segmentBytes: 200, recentBytes: 100 });
  const slices = { clock: new SimulatedClock(), sliceMs: 5, pauseRatio: 0 };
  await log.open(sameBoot, (batch) => found.push(plain(batch)), slices);
  return { log, found };
}

function plain({ term, firstSequence, rowCount, payload }: Batch): Batch {
  return { term, firstSequence, rowCount, payload };
}

/** Batches of one to three rows; a new term every four. */
function batches(count: number, firstTerm = 1): readonly Batch[] {
  let firstSequence = 1;
  return Array.from({ length: count }, (_, index) => {
    const rowCount = 1 + (index % 3);
    const term = firstTerm + (index >> 2);
    const payload = new Uint8Array(20).fill(index);
    const batch = { term, firstSequence, rowCount, payload };
    firstSequence += rowCount;
    return batch;
  });
}

async function filled(count: number, mode: LogMode = 'fsync'): Promise<SimulatedDisk> {
  const disk = newDisk();
  const { log } = await openLog(disk, { mode });
  for (const batch of batches(count)) await log.append([batch]);
  return disk;
}

/** As a release with another format writes it: the header is ours but for the version. */
function plantVersion(disk: SimulatedDisk, file: string, version: number): void {
  const bytes = disk.peek(file)!.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version);
  view.setUint32(24, crc32(bytes.subarray(0, 24)));
  disk.plant(file, bytes);
}

function copyOf(disk: SimulatedDisk): SimulatedDisk {
  const copy = newDisk();
  for (const name of disk.names('log')) copy.plant(`log/${name}`, disk.peek(`log/${name}`)!);
  return copy;
}

describe('the log of a replica set', () => {
  it('gives back over several segments what was appended', async () => {
    const disk = await filled(12);
    assert.ok(disk.names('log').length > 2);
    assert.deepEqual((await openLog(disk)).found, batches(12));
  });

  it('answers for every position, from memory and from files', async () => {
    const disk = await filled(12);
    const { log } = await openLog(disk);
    for (const batch of batches(12)) {
      const [first] = (await log.behind(batch.firstSequence - 1, 1)) ?? [];
      assert.deepEqual(first, batch);
    }
    assert.deepEqual(await log.behind(log.end.sequence, 1), []);
    assert.deepEqual(await log.allBehind(0), batches(12));
  });

  it('goes on after its last segment was cut at any byte, with what was whole', async () => {
    const disk = await filled(7);
    const last = `log/${disk.names('log').at(-1)!}`;
    const bytes = disk.peek(last)!;
    for (let size = 0; size <= bytes.length; size++) {
      const torn = copyOf(disk);
      torn.plant(last, bytes.slice(0, size));
      const { log, found } = await openLog(torn);
      assert.deepEqual(found, batches(7).slice(0, found.length));
      const next: Batch = {
        term: 9,
        firstSequence: log.end.sequence + 1,
        rowCount: 1,
        payload: new Uint8Array(1),
      };
      await log.append([next]);
      assert.deepEqual((await openLog(torn)).found, [...found, next]);
    }
  });

  it('refuses to start when rows that were durable cannot be read, naming the file', async () => {
    const disk = await filled(12);
    const first = `log/${disk.names('log')[0]!}`;
    const bytes = disk.peek(first)!.slice();
    bytes[60]! ^= 1;
    disk.plant(first, bytes);
    await assert.rejects(
      openLog(disk, { sameBoot: false }),
      (error) => error instanceof ClusterError && error.details?.['path'] === first,
    );
  });

  it('refuses a missing segment', async () => {
    const disk = await filled(12);
    const names = disk.names('log');
    const view = disk.mount();
    await view.remove(`log/${names[1]!}`);
    await assert.rejects(openLog(disk, { sameBoot: false }), ClusterError);
  });

  for (const [which, index] of [
    ['first', 0],
    ['last', -1],
  ] as const) {
    it(`refuses a log whose ${which} segment is of a later version, and leaves it`, async () => {
      const disk = await filled(12);
      const name = disk.names('log').at(index)!;
      plantVersion(disk, `log/${name}`, 2);
      // Without what is behind the header, too: another format has its own batches.
      disk.plant(`log/${name}`, disk.peek(`log/${name}`)!.slice(0, 40));
      const before = copyOf(disk);
      await assert.rejects(openLog(disk, { sameBoot: false }), (error) => {
        assert.ok(error instanceof ClusterError);
        assert.equal(error.code, 'STORAGE_FAILED');
        assert.match(error.message, new RegExp(`log/${name} .* version 2, .* later release`));
        return true;
      });
      assert.deepEqual(disk.names('log'), before.names('log'));
      assert.deepEqual(disk.peek(`log/${name}`), before.peek(`log/${name}`));
    });
  }

  it('refuses a segment of a later version behind a torn one, and leaves both', async () => {
    const disk = await filled(12, 'write');
    const [torn, later, ...rest] = disk.names('log').map((name) => `log/${name}`);
    disk.plant(torn!, disk.peek(torn!)!.slice(0, -1));
    plantVersion(disk, later!, 2);
    disk.plant(later!, disk.peek(later!)!.slice(0, 40));
    for (const file of rest) await disk.mount().remove(file);
    await assert.rejects(openLog(disk, { mode: 'write' }), /version 2/);
    assert.deepEqual(disk.names('log').length, 2);
  });

  it('cuts at a hole that a crash of the machine may leave, if nothing was synced', async () => {
    const disk = await filled(12, 'write');
    const first = `log/${disk.names('log')[0]!}`;
    disk.plant(first, disk.peek(first)!.slice(0, -1));
    await assert.rejects(openLog(copyOf(disk), { mode: 'write', sameBoot: true }), ClusterError);
    const { found } = await openLog(disk, { mode: 'write', sameBoot: false });
    assert.deepEqual(found, batches(12).slice(0, found.length));
    assert.deepEqual(disk.names('log').length, 1);
  });

  it('is cut at the end of any batch, and goes on in another term', async () => {
    const all = batches(12);
    for (let kept = 0; kept <= all.length; kept++) {
      const disk = await filled(12);
      const { log } = await openLog(disk);
      const sequence = (all[kept]?.firstSequence ?? log.end.sequence + 1) - 1;
      await log.truncate(sequence);
      const next = {
        term: 9,
        firstSequence: sequence + 1,
        rowCount: 2,
        payload: new Uint8Array(3),
      };
      await log.append([next]);
      assert.deepEqual(log.end, { term: 9, sequence: sequence + 2 });
      assert.deepEqual((await openLog(disk)).found, [...all.slice(0, kept), next]);
    }
  });
});
