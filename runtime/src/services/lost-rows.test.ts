import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Batch, validBatches } from '../core/storage/log-format.ts';
import { type Row, RowCodec } from '../core/storage/rows.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { LostRows } from './lost-rows.ts';

const codec = new RowCodec();

function batch(term: number, firstSequence: number, rows: readonly Row[]): Batch {
  return { term, firstSequence, rowCount: rows.length, payload: codec.encode(rows) };
}

function row(id: number): Row {
  return { kind: 'replace', space: 512, tuple: [id] };
}

function newDisk(): SimulatedDisk {
  const clock = new SimulatedClock();
  return new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
}

function keptRows(disk: SimulatedDisk, term: number): readonly Row[] {
  const bytes = disk.peek(`lost/${term}.xlog`);
  return validBatches(bytes ?? new Uint8Array()).flatMap(({ payload }) => codec.decode(payload));
}

/** Keeps one row of so many bytes, in a thread whose heap is that small. */
async function keepInSmallHeap(rowBytes: number, heapMb: number): Promise<unknown> {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const load = (name) => import(new URL(name, workerData.base).href);
    void (async () => {
      const { LostRows } = await load('lost-rows.ts');
      const { RowCodec } = await load('../core/storage/rows.ts');
      const { SimulatedClock } = await load('../testing/simulated-clock.ts');
      const { SimulatedDisk } = await load('../testing/simulated-disk.ts');
      const { SeededRandom } = await load('../testing/seeded-random.ts');
      const random = new SeededRandom(1);
      const disk = new SimulatedDisk({ clock: new SimulatedClock(), random, latencyMs: 0 });
      const codec = new RowCodec();
      const tuple = [1, Buffer.alloc(workerData.rowBytes, 7)];
      const payload = codec.encode([{ kind: 'replace', space: 512, tuple }]);
      const batch = { term: 1, firstSequence: 1, rowCount: 1, payload };
      await new LostRows(disk.mount(), codec).keep([batch]);
      parentPort.postMessage(disk.peek('lost/1.xlog').length > workerData.rowBytes);
    })();`;
  const worker = new Worker(program, {
    eval: true,
    workerData: { base: import.meta.url, rowBytes },
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('the rows of deposed leaders', () => {
  it('are kept per term, with those of earlier cuts, and found again', async () => {
    const disk = newDisk();
    const lost = new LostRows(disk.mount(), codec);
    await lost.keep([batch(1, 5, [row(5), row(6)]), batch(2, 7, [row(7)])]);
    await lost.keep([batch(1, 3, [row(3), row(4)])]);
    assert.deepEqual(keptRows(disk, 1), [row(3), row(4), row(5), row(6)]);
    assert.deepEqual(keptRows(disk, 2), [row(7)]);

    const again = new LostRows(disk.mount(), codec);
    await again.load();
    assert.deepEqual(again.issues(), lost.issues());
    assert.deepEqual(
      again.issues().map(({ message }) => message.slice(0, 16)),
      ['4 rows of term 1', '1 rows of term 2'],
    );
  });

  it('are not kept when they change nothing', async () => {
    const disk = newDisk();
    const lost = new LostRows(disk.mount(), codec);
    await lost.keep([batch(1, 1, [{ kind: 'begin-term', leader: 'a' }])]);
    assert.deepEqual([lost.issues(), disk.names('lost')], [[], []]);
  });

  it('take no more of the heap when they are large', async () => {
    assert.equal(await keepInSmallHeap(32 << 20, 64), true);
  });
});
