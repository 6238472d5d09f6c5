/** Three real instances led by membership: the leader is killed, comes back, and stops as planned. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { failoverSchema } from '../../runtime/src/contract/cluster-config.ts';
import { key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const application = path.join(
  import.meta.dirname,
  '../local/fixtures/acknowledgement-application.ts',
);
const SPACE = 'usual';
const ROW_COUNT = 20;

async function write(set: ReplicaSet, to: LocalInstance, from: number): Promise<void> {
  const client = await set.connect(to);
  for (let id = from; id < from + ROW_COUNT; id++) {
    await client.request(requestType.REPLACE, [
      [key.SPACE_NAME, SPACE],
      [key.TUPLE, [id]],
    ]);
  }
  client.close();
}

async function count(set: ReplicaSet, at: LocalInstance): Promise<number> {
  const rows = await set.rowsAt(at, SPACE);
  return rows.length;
}

describe('a replica set in mode eventual', () => {
  let set: ReplicaSet;

  before(async () => {
    set = await ReplicaSet.start({
      ...{ instances: 3, application, role: 'spaces' },
      failover: { mode: 'eventual', failover_timeout: 1 },
    });
    await set.settled();
  });
  after(() => set.stop());

  it('takes the next one when the leader is killed, and the first again when it has caught up [FO-26] [FO-27]', async () => {
    const [first, second] = set.instances as [LocalInstance, LocalInstance];
    assert.equal(await set.settled(), first);
    await write(set, first, 0);
    await set.settled();
    await first.crash();
    const next = await set.leader();
    assert.equal(next, second);
    await write(set, next, ROW_COUNT);
    first.start();
    const isBack = async (): Promise<boolean> => (await set.settled()) === first;
    await waitUntil('the first of the priority leads again', isBack, 20_000);
    assert.equal(await count(set, first), 2 * ROW_COUNT);
  });

  it('hands over when it stops, without losing a row', async () => {
    const [first] = set.instances as [LocalInstance];
    await write(set, first, 2 * ROW_COUNT);
    await first.stop();
    assert.equal(await count(set, await set.leader()), 3 * ROW_COUNT);
  });

  it('moves nothing by itself while it is paused on those that answer [FO-60]', async () => {
    const [first, second] = set.instances as [LocalInstance, LocalInstance];
    const paused = await second.request('POST', '/admin/failover/pause');
    assert.equal(paused.status, 504);
    assert.match(JSON.stringify(paused.body), /paused on 2 instances, but not on row-0/);
    assert.equal((await second.status()).isFailoverPaused, true);
    first.start();
    await set.settled();
    // Two periods of gossip: it would have handed over by then.
    await sleep(2500);
    assert.equal(await set.settled(), second);
    const resumed = await second.request('POST', '/admin/failover/resume');
    assert.equal(resumed.status, 200);
    const isBack = async (): Promise<boolean> => (await set.settled()) === first;
    await waitUntil('the first of the priority leads again', isBack, 20_000);
  });

  it('changes the parameters that are given, and keeps the others [FO-19]', async () => {
    const leader = await set.leader();
    const changed = await leader.request('PATCH', '/admin/failover', { autoreturn_delay: 60 });
    assert.equal(changed.status, 200);
    const { body } = await set.instances[2]!.request('GET', '/admin/failover');
    const { mode, failover_timeout: timeout, autoreturn_delay: delay } = failoverSchema.parse(body);
    assert.deepEqual({ mode, timeout, delay }, { mode: 'eventual', timeout: 1, delay: 60 });
    const refused = await leader.request('PATCH', '/admin/failover', { failover_timeout: 'long' });
    assert.equal(refused.status, 400);
    assert.match(JSON.stringify(refused.body), /failover.failover_timeout/);
  });

  it('says what it does not promise, and how leadership is moved [FO-29]', async () => {
    const leader = await set.leader();
    const { issues, replicaSet } = await leader.status();
    assert.match(issues.map(({ message }) => message).join(), /acknowledged by the leader alone/);
    const answer = await leader.request('POST', '/admin/promote', {
      replicaSetUuid: replicaSet?.uuid,
      to: (await set.instances[2]!.status()).uuid,
    });
    assert.equal(answer.status, 409);
    assert.match(JSON.stringify(answer.body), /failover priority/);
  });
});
