import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { TermPromise } from './term-promise.ts';

async function openPromise(disk: Disk): Promise<TermPromise> {
  const promise = new TermPromise(disk);
  await promise.load();
  return promise;
}

describe('a promise of a term', () => {
  const givenDisk = (): SimulatedDisk =>
    new SimulatedDisk({ clock: new SimulatedClock(), random: new SeededRandom(1), latencyMs: 0 });

  it('outlives the process', async () => {
    const disk = givenDisk();
    const promise = await openPromise(disk.mount());
    assert.deepEqual([await promise.promise(5), await promise.promise(4)], [true, false]);
    assert.equal((await openPromise(disk.mount())).record.promisedTerm, 5);
  });

  it('is of this process alone when it is only expected', async () => {
    const disk = givenDisk();
    const promise = await openPromise(disk.mount());
    assert.deepEqual(
      [promise.expect(5), promise.expect(5), promise.expect(4)],
      [true, false, false],
    );
    assert.equal(promise.record.promisedTerm, 5);
    assert.equal((await openPromise(disk.mount())).record.promisedTerm, 0);
  });

  it('is durable once it is asked for, though it was expected before', async () => {
    const disk = givenDisk();
    const promise = await openPromise(disk.mount());
    promise.expect(5);
    assert.equal(await promise.promise(5), false);
    assert.equal((await openPromise(disk.mount())).record.promisedTerm, 5);
  });

  it('is durable with whatever is saved after it', async () => {
    const disk = givenDisk();
    const promise = await openPromise(disk.mount());
    promise.expect(5);
    await promise.saveInSync(1, []);
    assert.equal((await openPromise(disk.mount())).record.promisedTerm, 5);
  });
});
