import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readLog } from '../soak/row-checker.ts';
import type { Loads } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { reasonAgainstMounting } from '../support/small-disk.ts';
import { waitUntil } from '../support/wait-until.ts';
import { SmallDiskSet } from './small-disk-set.ts';

const WHY =
  /The disk is full \(ENOSPC\): disk-rows in the working directory could not be written\./;
const environment = { SOAK_ENGINE: 'disk' };
/** Fails with the errors that the instance has told since then, which name the disk. */
function assertSaidWhy(instance: LocalInstance, since = 0): void {
  const lines = instance.log().slice(since).split('\n');
  const errors = lines.filter((line) => line.includes('"level":"error"'));
  assert.ok(
    errors.some((line) => WHY.test(line)),
    errors.map((line) => line.slice(0, 500)).join('\n'),
  );
}

/** Only the rows of disk spaces do not fit: there is room for the log. */
const small = { below: 'data/disk-rows', size: '3m' };

describe('a full disk under the rows of disk spaces', { skip: reasonAgainstMounting() }, () => {
  const running = new AsyncDisposableStack();
  let world: SmallDiskSet;
  let instance: LocalInstance;

  before(async () => {
    world = running.use(await SmallDiskSet.start(1, environment, small));
    instance = world.first;
  });
  after(() => running.disposeAsync());

  const ends = (): Promise<unknown> =>
    waitUntil('the instance ends', () => !instance.isRunning, 90_000);

  it('stops the instance, which says why, and loses nothing that was acknowledged', async () => {
    const load = await world.writers.load(instance);
    await ends();
    await load.ended();
    assert.deepEqual(load.surprises, []);
    assert.ok(load.acknowledgements > 0, 'it has taken rows before');
    assert.equal(instance.exitCode, 1);
    assertSaidWhy(instance);
    assert.deepEqual(readLog(instance.workdir).violations, []);
  });

  it('stops it again when it is started without room', async () => {
    const saidBefore = instance.log().length;
    instance.start();
    await ends();
    assertSaidWhy(instance, saidBefore);
    assert.deepEqual(readLog(instance.workdir).violations, []);
  });

  it('goes on once there is room', async () => {
    world.disk.grow();
    instance.start();
    assert.deepEqual((await world.writers.check()).violations, []);
    const load = await world.writers.load(instance);
    await waitUntil('it takes rows', () => load.acknowledgements > 1000);
    await load.finish();
    assert.deepEqual(load.surprises, []);
    assert.deepEqual((await world.writers.check()).violations, []);
  });
});

describe('a full disk under the rows of disk spaces of one of three', {
  skip: reasonAgainstMounting(),
}, () => {
  const running = new AsyncDisposableStack();
  let world: SmallDiskSet;

  before(async () => {
    world = running.use(await SmallDiskSet.start(3, environment, small));
    await world.set.settled();
  });
  after(() => running.disposeAsync());

  /** Writes until it is enough, or its leader refuses: how many rows were acknowledged, all of which are there. */
  const write = async (isEnough: (load: Loads) => boolean): Promise<number> => {
    const { set, writers } = world;
    const load = await writers.load(await set.leader());
    await waitUntil('it writes', () => load.refusals.length > 0 || isEnough(load), 120_000);
    await load.finish();
    assert.deepEqual(load.surprises, []);
    const { rows, violations } = await writers.read(await set.leader());
    assert.deepEqual([...violations, ...writers.settle(rows).violations], []);
    return load.acknowledgements;
  };

  it('stops that one, the others show why, and it comes back when there is room', async () => {
    const { set, first, disk, writers } = world;
    while (first.isRunning) await write(() => !first.isRunning);
    assertSaidWhy(first);
    for (const other of set.instances.filter((each) => each !== first)) {
      const issue = await waitUntil(`${other.name} shows it`, async () => {
        const { issues } = await other.status();
        return issues.find(({ topic }) => topic === 'peer-stopped');
      });
      assert.match(issue.message, WHY);
    }
    for (let rows = 0; rows < 1000; ) rows += await write((load) => load.acknowledgements >= 1000);
    disk.grow();
    first.start();
    assert.deepEqual((await writers.check()).violations, []);
  });
});
