import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenTransaction } from '../core/storage/engine.ts';
import { openReplicaStore } from '../testing/open-replica-store.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { defaultIndexBuildLimits } from './index-builds.ts';
import type { ReplicaStore } from './replica-store.ts';

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

describe('a term in the log of a replica set', () => {
  const givenDisk = (): SimulatedDisk =>
    new SimulatedDisk({ clock: new SimulatedClock(), random: new SeededRandom(1), latencyMs: 0 });

  /** Its process dies before it has written a promise of this or a higher term. */
  const openUntil = (disk: SimulatedDisk, term: number): Promise<ReplicaStore> => {
    const mounted = disk.mount();
    return openReplicaStore({
      ...mounted,
      writeAtomic: (file, bytes) => {
        const text = file === 'promised.json' ? new TextDecoder().decode(bytes) : '{}';
        const { promisedTerm = 0 } = JSON.parse(text) as { readonly promisedTerm?: number };
        if (promisedTerm >= term) return new Promise(() => undefined);
        return mounted.writeAtomic(file, bytes);
      },
    });
  };
  const restarted = (disk: SimulatedDisk): Promise<ReplicaStore> => {
    disk.unmount();
    return openReplicaStore(disk.mount());
  };
  const toLead = (): boolean => true;
  const known = { acknowledged: { term: 0, sequence: 0 }, inSync: [] };

  it('is promised, and never begun again, after its leader died with nothing else written', async () => {
    const disk = givenDisk();
    assert.equal(await (await openUntil(disk, 5)).beginTerm(5, 'a', toLead), 1);
    const store = await restarted(disk);
    const position = { term: 5, sequence: 1 };
    assert.deepEqual(await store.promiseTerm(4), { position, promisedTerm: 5 });
    assert.equal(await store.beginTerm(5, 'a', toLead), undefined);
    assert.equal(await store.beginTerm(6, 'a', toLead), 2);
  });

  it('is promised by a follower that died with nothing else written', async () => {
    const leader = await openReplicaStore(givenDisk().mount());
    await leader.beginTerm(5, 'a', toLead);
    const batches = [...(await leader.log.allBehind(0))];
    const disk = givenDisk();
    const follower = await openUntil(disk, 5);
    await follower.promiseTerm(5, 'to follow');
    const answer = { kind: 'rows', term: 5, batches, ...known } as const;
    assert.equal(await follower.receive({ term: 0, sequence: 0 }, answer), true);
    assert.equal((await restarted(disk)).promise.promisedTerm, 5);
  });

  it('is not promised by one that died before its first row', async () => {
    const disk = givenDisk();
    await (await openUntil(disk, 5)).promiseTerm(5, 'to follow');
    assert.equal((await restarted(disk)).promise.promisedTerm, 0);
  });

  it('stays promised when its rows are cut: that is written before', async () => {
    const leader = await openReplicaStore(givenDisk().mount());
    await leader.beginTerm(6, 'a', toLead);
    const batches = [...(await leader.log.allBehind(0))];
    const disk = givenDisk();
    const deposed = await openUntil(disk, 6);
    await deposed.beginTerm(5, 'b', toLead);
    await deposed.promiseTerm(6, 'to follow');
    const hint = { term: 0, sequence: 0 };
    const end5 = { term: 5, sequence: 1 };
    const answer = { term: 6, ...known };
    assert.equal(await deposed.receive(end5, { ...answer, kind: 'conflict', hint }), true);
    void deposed.receive(hint, { ...answer, kind: 'rows', batches });
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    const { promise, end } = await restarted(disk);
    assert.deepEqual([promise.promisedTerm, end], [5, end5]);
  });
});
