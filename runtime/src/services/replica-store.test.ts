import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenTransaction } from '../core/storage/engine.ts';
import { openReplicaStore } from '../testing/open-replica-store.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { defaultIndexBuildLimits } from './index-builds.ts';

const TERM = 1;
/** More values than one call can take as arguments. */
const MANY = 200_000;

const limits = { ...defaultIndexBuildLimits, segmentBytes: 1 << 20, recentBytes: 1 << 20 };

function createSpace(transaction: OpenTransaction): void {
  transaction.createSpace('many', { format: [{ name: 'id', type: 'unsigned' }] });
  transaction.createIndex('many', { name: 'primary', parts: ['id'] });
}

describe('the store of a replica set', () => {
  it('keeps a transaction of any number of rows', async () => {
    const clock = new SimulatedClock();
    const disk = new SimulatedDisk({ clock, random: new SeededRandom(1), latencyMs: 0 });
    const store = await openReplicaStore(disk.mount(), { limits });
    await store.beginTerm(TERM, 'a', () => true);
    const transaction = store.usableEngine().begin();
    createSpace(transaction);
    for (let id = 1; id <= MANY; id++) transaction.insert('many', [id]);
    const last = store.commit(transaction, TERM);
    assert.deepEqual(await store.drained(), { term: TERM, sequence: last });
    await store.close();

    const again = await openReplicaStore(disk.mount(), { limits });
    assert.equal(again.usableEngine().begin().count('many'), MANY);
  });
});
