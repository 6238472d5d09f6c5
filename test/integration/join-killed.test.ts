import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Position } from '@tonearm/runtime/contract';
import { NodeDisk } from '../../runtime/src/adapters/node-disk.ts';
import { commitJoin, JOIN_FOLDER } from '../../runtime/src/services/snapshot-switch.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { type Loads, RowWriters } from '../soak/row-writers.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

interface Snapshot {
  readonly name: string;
  readonly end: Position;
  readonly file: string;
}

const dataOf = (instance: LocalInstance): string => path.join(instance.workdir, 'data');

for (const engine of ['memory', 'disk']) {
  describe(`an instance that was killed while it joined, with rows of engine ${engine}`, () => {
    const running = new AsyncDisposableStack();
    let set: ReplicaSet;
    let writers: RowWriters;

    before(async () => {
      const environment = { SOAK_ENGINE: engine, TONEARM_LOG_LEVEL: 'info' };
      const options = { instances: 3, application: ROWS, role: 'soak.rows', environment };
      set = running.adopt(await ReplicaSet.start(options), (started) => started.stop());
      writers = new RowWriters(set, new SeededRandom(1));
    });
    after(() => running.disposeAsync());

    const finish = async (load: Loads): Promise<void> => {
      await load.finish();
      assert.deepEqual(load.surprises, []);
      const { rows, violations } = await writers.read(await set.leader());
      assert.deepEqual([...violations, ...writers.settle(rows).violations], []);
    };

    /** Whose leader has acknowledged so many rows; a load ends when its lease lapses on a machine that is slow. */
    const writing = async (rows: number): Promise<Loads> => {
      for (;;) {
        const load = await writers.load(await set.leader());
        const hasEnded = (): boolean => load.refusals.length > 0;
        await waitUntil('it writes', () => hasEnded() || load.acknowledgements > rows);
        if (!hasEnded()) return load;
        await finish(load);
      }
    };

    /** Rows were written while it was taken: it is of no use before they have come. */
    const snapshotUnderLoad = async (): Promise<Snapshot> => {
      for (;;) {
        const load = await writing(0);
        const leader = await set.leader();
        const { status, body } = await leader.request('POST', '/admin/snapshot', {});
        await finish(load);
        if (status !== 200) continue;
        const { name, position: end } = body as { name: string; position: Position };
        const file = path.join(dataOf(leader), 'snapshot', name);
        if (end.sequence > Number.parseInt(name, 10)) return { name, end, file };
      }
    };

    it('boots again before its leader is there, and finishes the join with it', async () => {
      await set.settled();
      await finish(await writing(4000));
      const leader = await set.settled();
      const follower = set.instances.find((instance) => instance !== leader)!;
      await follower.crash();
      const { name, end, file } = await snapshotUnderLoad();
      // What its process has written when it is killed behind the moment from which on there is no way back.
      mkdirSync(path.join(dataOf(follower), JOIN_FOLDER));
      cpSync(file, path.join(dataOf(follower), JOIN_FOLDER, name));
      await commitJoin(new NodeDisk(dataOf(follower)), { name, end, keepsOld: true });
      await Promise.all(set.instances.map((instance) => instance.crash()));

      for (let time = 0; time < 2; time++) {
        follower.start();
        const status = await waitUntil('it has booted', async () => {
          const now = await follower.status();
          return now.state === 'RolesConfigured' ? now : undefined;
        });
        const { position, writable } = status.replicaSet!;
        assert.deepEqual([position.sequence, writable], [Number.parseInt(name, 10), false]);
        await follower.crash();
      }
      assert.ok(existsSync(path.join(dataOf(follower), 'aside/log')));

      for (const instance of set.instances) instance.start();
      assert.deepEqual((await writers.check()).violations, []);
      await finish(await writing(1000));
      assert.deepEqual((await writers.check()).violations, []);
    });
  });
}
