/** What clients of a router notice of a change of leader: real processes, a real etcd. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { faults } from '../bench/failover/faults.ts';
import { missingOf } from '../bench/failover/rounds.ts';
import { WriteLoad } from '../bench/failover/write-load.ts';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { setUuid } from '../support/first-config.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';
const PER_SECOND = 100;
const PROMOTIONS = 5;
/** A broken connection may take so long to be noticed on a busy machine. */
const ON_THEIR_WAY_MS = 1000;

describe('writes through a router', { skip: absent }, () => {
  let etcd: RealEtcd;
  let cluster: LocalCluster;

  before(async () => {
    etcd = await startEtcd(binary!);
    cluster = await LocalCluster.start({
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/writes/' },
      ...{ routers: 1, storages: [2], fencingTtlSeconds: 2 },
    });
    await cluster.settled(0);
  });
  after(async () => {
    await cluster.stop();
    await etcd.stop();
  });

  it('all succeed while leadership is handed over again and again', async () => {
    const load = new WriteLoad({ cluster, sets: [0], salary: 1000, perSecond: PER_SECOND });
    for (let count = 0; count < PROMOTIONS; count++) {
      await delay(300);
      await waitUntil('leadership was handed over', async () => {
        const body = { replicaSetUuid: setUuid(1) };
        const { status } = await cluster.router.request('POST', '/admin/promote', body);
        // On a busy machine the other one may just have been taken out of the in-sync members.
        assert.ok(status === 200 || status === 409);
        return status === 200;
      });
    }
    await load.stop();
    assert.deepEqual([...load.reasons], []);
    assert.ok(load.acknowledged.length > PROMOTIONS);
    assert.equal(await missingOf(cluster, load, 1000), 0);
  });

  it('are of unknown outcome only where they were under way when the leader was killed', async () => {
    const load = new WriteLoad({ cluster, sets: [0], salary: 2000, perSecond: PER_SECOND });
    await delay(500);
    const victim = await waitUntil('both are in sync', async () => {
      const leader = await cluster.leaderOf(0);
      const { replicaSet } = await leader.status();
      return replicaSet?.inSync.length === 2 && leader;
    });
    const before = load.acknowledged.length;
    const killedMs = performance.now();
    await faults.kill.inflict({ cluster }, victim);
    await victim.ended();
    victim.start();
    await cluster.leaderOf(0);
    await delay(500);
    await load.stop();
    assert.deepEqual(
      [...load.failed.keys()].filter((status) => status !== 504),
      [],
      [...load.reasons].join('\n'),
    );
    // Those that came later have waited for the new leader.
    assert.deepEqual(
      load.failedSentMs.filter((sentMs) => sentMs > killedMs + ON_THEIR_WAY_MS),
      [],
    );
    assert.ok(load.acknowledged.length > before);
    assert.equal(await missingOf(cluster, load, 2000), 0);
  });
});
