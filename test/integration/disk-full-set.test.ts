import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Loads } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import type { ReplicaSet } from '../support/replica-set.ts';
import { reasonAgainstMounting } from '../support/small-disk.ts';
import { waitUntil } from '../support/wait-until.ts';
import { SmallDiskSet } from './small-disk-set.ts';

const LOADS_MAX = 20;

describe('a full disk of one of three', { skip: reasonAgainstMounting() }, () => {
  const running = new AsyncDisposableStack();
  let world: SmallDiskSet;
  let set: ReplicaSet;
  let full: LocalInstance;

  const loadFor = async (isEnough: (load: Loads) => boolean): Promise<void> => {
    const load = await world.writers.load(await set.leader());
    await waitUntil('it has written enough', () => isEnough(load), 120_000);
    await load.finish();
    assert.deepEqual(load.surprises, []);
  };
  const violations = async (): Promise<readonly string[]> => {
    const found = await world.writers.read(await set.leader());
    return [...found.violations, ...world.writers.settle(found.rows).violations];
  };

  before(async () => {
    world = running.use(await SmallDiskSet.start(3, {}));
    set = world.set;
    full = world.first;
    await set.settled();
  });
  after(() => running.disposeAsync());

  it('stops that one, and the others go on and show why it is not there', async () => {
    // On a busy machine leadership may move before its disk is full; a follower's fills as well.
    for (let load = 0; full.isRunning && load < LOADS_MAX; load++) {
      await loadFor((one) => !full.isRunning || (one.isQuiet && one.refusals.length > 0));
      assert.deepEqual(await violations(), []);
    }
    await waitUntil('it ends', () => !full.isRunning);
    assert.equal(full.exitCode, 1);
    assert.match(full.log(), /The disk is full \(ENOSPC\)/);
    const next = await set.leader();
    assert.notEqual(next, full);
    for (const other of set.instances.filter((instance) => instance !== full)) {
      const issue = await waitUntil(`${other.name} shows it`, async () => {
        const { issues } = await other.status();
        return issues.find(({ topic }) => topic === 'peer-stopped');
      });
      assert.match(issue.message, /^row-0 has stopped, and said why: The disk is full \(ENOSPC\)/);
    }
    assert.deepEqual(await violations(), []);
    await loadFor((load) => load.acknowledgements > 1000);
  });

  it('lets it come back when there is room, with all rows', async () => {
    world.disk.grow();
    full.start();
    assert.deepEqual((await world.writers.check()).violations, []);
    for (const instance of set.instances) {
      await waitUntil(`${instance.name} shows nothing of it any more`, async () => {
        const { issues } = await instance.status();
        return !issues.some(({ topic }) => topic.startsWith('peer-'));
      });
    }
    await loadFor((load) => load.acknowledgements > 1000);
    assert.deepEqual((await world.writers.check()).violations, []);
  });
});
