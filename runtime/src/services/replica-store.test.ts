import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenTransaction } from '../core/storage/engine.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { systemClock } from '../foundation/clock.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { defaultIndexBuildLimits } from './index-builds.ts';
import { ReplicaStore } from './replica-store.ts';

const TERM = 1;
/** More values than one call can take as arguments. */
const MANY = 200_000;

async function openStore(disk: SimulatedDisk): Promise<ReplicaStore> {
  const store = new ReplicaStore({
    disk: disk.mount(),
    clock: systemClock,
    logger: silentLogger,
    logMode: 'write',
    identity: { logIncarnation: 1 },
    limits: { ...defaultIndexBuildLimits, segmentBytes: 1 << 20, recentBytes: 1 << 20 },
    createEngine: () => new MemoryEngine(),
    defer: setImmediate,
    onAppended: () => undefined,
    fatal: () => undefined,
  });
  await store.open();
  return store;
}

function createSpace(transaction: OpenTransaction): void {
  transaction.createSpace('many', { format: [{ name: 'id', type: 'unsigned' }] });
  transaction.createIndex('many', { name: 'primary', parts: ['id'] });
}

describe('the store of a replica set', () => {
  it('keeps a transaction of any number of rows', async () => {
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
    const store = await openStore(disk);
    await store.beginTerm(TERM, 'a', () => true);
    const transaction = store.usableEngine().begin();
    createSpace(transaction);
    for (let id = 1; id <= MANY; id++) transaction.insert('many', [id]);
    const last = store.commit(transaction, TERM);
    assert.deepEqual(await store.drained(), { term: TERM, sequence: last });
    await store.close();

    const again = await openStore(disk);
    assert.equal(again.usableEngine().begin().count('many'), MANY);
  });
});
