import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { RowWriters } from '../soak/row-writers.ts';
import { setUuid } from '../support/first-config.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const application = path.join(import.meta.dirname, '../soak/fixtures/rows-application.ts');
const replicaSetUuid = setUuid(0);

describe('promotion of real instances', () => {
  let set: ReplicaSet;
  before(async () => {
    set = await ReplicaSet.start({ instances: 3, application, role: 'soak.rows' });
  });
  after(() => set.stop());

  const uuidOf = async (instance: LocalInstance): Promise<string> => (await instance.status()).uuid;
  const promote = (
    through: LocalInstance,
    body: Record<string, unknown>,
  ): Promise<{ status: number; body: unknown }> =>
    through.request('POST', '/admin/promote', { replicaSetUuid, ...body });

  it('is done from any instance, and says what it has cost [FO-56]', async () => {
    const leader = await set.settled();
    const [next, through] = set.instances.filter((instance) => instance !== leader);
    assert.ok(next && through);
    const to = await uuidOf(next);
    const answer = await promote(through, { to });
    const { uuid, withoutWritesMs } = answer.body as { uuid: string; withoutWritesMs: number };
    assert.deepEqual([answer.status, uuid], [200, to], JSON.stringify(answer.body));
    assert.ok(withoutWritesMs >= 0);
    assert.equal((await next.status()).replicaSet?.writable, true);
  });

  it('gives up acknowledged rows by force alone, when nobody else can be writable [FO-55]', async () => {
    const leader = await set.settled();
    const [lost, last] = set.instances.filter((instance) => instance !== leader);
    assert.ok(lost && last);
    const [holder, to] = [await uuidOf(leader), await uuidOf(last)];
    const load = await new RowWriters(set, new SeededRandom(1)).load(leader);
    await last.crash();
    await waitUntil('the last one is out of sync', async () => {
      const view = (await leader.status()).replicaSet;
      return view?.inSync.includes(to) === false ? true : undefined;
    });
    await load.finish();
    await Promise.all([leader.crash(), lost.crash()]);
    last.start();
    await waitUntil('it answers', () => last.status().catch(() => undefined));
    const refused = async (body: Record<string, unknown>): Promise<unknown> =>
      waitUntil('the coordinator answers', async () => {
        const { body: error } = await promote(last, { to, ...body });
        const { code } = error as { code: string };
        return code === 'NO_COORDINATOR' || code === 'PROVIDER_UNAVAILABLE' ? undefined : code;
      });
    assert.equal(await refused({}), 'NOT_IN_SYNC');
    assert.equal(await refused({ force: true }), 'STATE_FORBIDS');
    const answer = await promote(last, { to, force: true, stopped: [holder] });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const { issues } = await last.status();
    assert.deepEqual(
      issues.filter(({ level }) => level === 'critical').map(({ topic }) => topic),
      ['forced-promotion'],
    );
  });
});
