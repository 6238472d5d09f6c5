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

describe('a term that an instance reserves', () => {
  const givenDisk = (): SimulatedDisk =>
    new SimulatedDisk({ clock: new SimulatedClock(), random: new SeededRandom(1), latencyMs: 0 });

  it('may be begun by the process that has reserved it, and by no later one', async () => {
    const disk = givenDisk();
    const promise = await openPromise(disk.mount());
    await promise.reserve(5);
    assert.equal(promise.mayBegin(5), true);
    const again = await openPromise(disk.mount());
    await again.reserve(5);
    assert.deepEqual([again.mayBegin(5), again.mayBegin(6)], [false, true]);
  });

  it('is not begun once a higher one was promised', async () => {
    const promise = await openPromise(givenDisk().mount());
    await promise.reserve(5);
    assert.equal(await promise.promise(6), true);
    await promise.reserve(5);
    assert.deepEqual([promise.mayBegin(5), promise.record.ledTerm], [false, 5]);
  });

  it('is promised, so that rows of lower terms are refused', async () => {
    const promise = await openPromise(givenDisk().mount());
    await promise.reserve(5);
    assert.deepEqual([promise.record.promisedTerm, await promise.promise(4)], [5, false]);
  });
});
