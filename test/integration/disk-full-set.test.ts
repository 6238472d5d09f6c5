import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { type Loads, type Rows, RowWriters } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { reasonAgainstMounting, SmallDisk } from '../support/small-disk.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('a full disk of one of three', { skip: reasonAgainstMounting() }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-full-set-'));
  const disk = new SmallDisk(path.join(folder, 'row-0'));
  const running = new AsyncDisposableStack();
  let set: ReplicaSet;
  let full: LocalInstance;
  let writers: RowWriters;

  const others = (): readonly LocalInstance[] =>
    set.instances.filter((instance) => instance !== full);

  const loadFor = async (isEnough: (load: Loads) => boolean): Promise<void> => {
    const load = await writers.load(await set.leader());
    await waitUntil('it has written enough', () => isEnough(load), 120_000);
    load.stop();
    await waitUntil('everything is answered', () => load.isQuiet);
    load.close();
    assert.deepEqual(load.surprises, []);
  };

  /** What is there of the rows is what was acknowledged, and what was open. */
  const rowsOf = async (instance: LocalInstance): Promise<Rows> => {
    const { rows, violations } = await writers.read(instance);
    assert.deepEqual([...violations, ...writers.settle(rows).violations], []);
    return rows;
  };

  before(async () => {
    disk.mount();
    running.defer(() => {
      disk.unmount();
      rmSync(folder, { recursive: true });
    });
    const starting = ReplicaSet.start({
      ...{ instances: 3, application: ROWS, role: 'soak.rows', folder },
      environment: { TONEARM_LOG_LEVEL: 'info' },
    });
    set = running.adopt(await starting, (started) => started.stop());
    full = set.instances[0]!;
    writers = new RowWriters(set, new SeededRandom(1));
    await set.settled();
  });
  after(() => running.disposeAsync());

  it('stops that one, and the others go on and show why it is not there', async () => {
    await loadFor((load) => !full.isRunning || (load.isQuiet && load.refusals.length > 0));
    await waitUntil('it ends', () => !full.isRunning, 60_000);
    assert.equal(full.exitCode, 1);
    assert.match(full.log(), /The disk is full \(ENOSPC\)/);
    const next = await set.leader();
    assert.notEqual(next, full);
    for (const other of others()) {
      const issue = await waitUntil(`${other.name} shows it`, async () => {
        const { issues } = await other.status();
        return issues.find(({ topic }) => topic === 'peer-stopped');
      });
      assert.match(issue.message, /^row-0 has stopped, and said why: The disk is full \(ENOSPC\)/);
    }
    await rowsOf(next);
    await loadFor((load) => load.acknowledgements > 1000);
  });

  it('lets it come back when there is room, with all rows', async () => {
    disk.grow();
    full.start();
    const leader = await set.settled();
    const rows = await rowsOf(leader);
    for (const instance of set.instances) {
      const found = await writers.read(instance);
      assert.deepEqual(found.violations, []);
      assert.ok(isDeepStrictEqual(found.rows, rows), `${instance.name} has the same rows`);
      await waitUntil(`${instance.name} shows nothing of it any more`, async () => {
        const { issues } = await instance.status();
        return !issues.some(({ topic }) => topic.startsWith('peer-'));
      });
    }
    await loadFor((load) => load.acknowledgements > 1000);
    await rowsOf(await set.settled());
  });
});
