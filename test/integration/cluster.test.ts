/**
 * What a person relies on, with real processes and a real etcd: leaders are killed, frozen, stopped and cut off while
 * writes go on. No acknowledged write is missing afterwards, none is there twice, and no two instances ever lead.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceStatus } from '@tonearm/runtime/contract';
import { EmployeeWriter } from '../support/employee-writer.ts';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LeaderWatch } from '../support/leader-watch.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { waitUntil } from '../support/wait-until.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';

const JANE = {
  employee_id: 'jane',
  name: 'Jane Doe',
  department: 'Delivery',
  position: 'Developer',
  salary: 20_000,
};
const SECTION = 'app.roles.storage';
const TTL_MS = 1000;

describe('a cluster of real processes with a real etcd', { skip: absent }, () => {
  const running = new AsyncDisposableStack();
  let etcd: RealEtcd;
  let cluster: LocalCluster;
  let router: LocalInstance;
  let salaryFrom = 100_000;

  before(async () => {
    etcd = running.adopt(await startEtcd(binary!), (started) => started.stop());
    const starting = LocalCluster.start({
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/cluster/' },
      routers: 2,
      storages: [2, 1],
      fencingTtlSeconds: TTL_MS / 1000,
    });
    cluster = running.adopt(await starting, (started) => started.stop());
    router = cluster.router;
  });
  after(() => running.disposeAsync());

  function startWriter(set: number): EmployeeWriter {
    salaryFrom += 1000;
    const prefix = `w${salaryFrom / 1000}`;
    return new EmployeeWriter({ cluster, prefix, set, salaryFrom, through: () => router });
  }

  async function followerOf(set: number, leader: LocalInstance): Promise<LocalInstance> {
    await cluster.settled(set);
    const follower = cluster.storages[set]?.find((instance) => instance !== leader);
    assert.ok(follower !== undefined);
    return follower;
  }

  /** Writes go on while `fault` happens to the leader of the first storage, and everything is there afterwards. */
  async function underWrites(
    test: TestContext,
    fault: (leader: LocalInstance, writer: EmployeeWriter) => Promise<void>,
  ): Promise<void> {
    const leader = await cluster.settled(0);
    const watch = new LeaderWatch(cluster);
    const writer = startWriter(0);
    try {
      await writer.acknowledges(20);
      await fault(leader, writer);
      await writer.acknowledges(20);
      await cluster.settled(0);
    } finally {
      await writer.stop();
      await watch.stop();
    }
    test.diagnostic(
      `${writer.acknowledged.length} writes, longest gap ${writer.longestGapMs} ms, ` +
        `answers ${JSON.stringify(Object.fromEntries(writer.answers))}`,
    );
    assert.deepEqual(writer.surprises, []);
    assert.deepEqual(await writer.stored(), writer.acknowledged.toSorted());
    assert.deepEqual(watch.violations, []);
    assert.ok(watch.seen > 0);
  }

  /** The first storage's former leader, whose log ended with a row that nobody else had. */
  async function leaveTail(employee: typeof JANE): Promise<LocalInstance> {
    for (;;) {
      const leader = await cluster.settled(0);
      const follower = await followerOf(0, leader);
      // Without etcd the leader cannot have its dead follower removed, so it acknowledges nothing.
      etcd.pause();
      await follower.crash();
      const [{ status }] = await Promise.all([
        router.request('POST', '/employee', employee),
        sleep(200).then(() => leader.crash()),
      ]);
      etcd.resume();
      follower.start();
      await waitUntil('the follower leads', async () => {
        const { replicaSet } = await follower.status();
        return replicaSet?.writable === true;
      });
      leader.start();
      await assertFollows(leader);
      // 503: on a slow machine its lease had run out before the row came.
      if (status !== 503) {
        assert.equal(status, 504);
        return leader;
      }
    }
  }

  /** The former leader follows another one, and has caught up. */
  async function assertFollows(former: LocalInstance): Promise<void> {
    const leader = await cluster.settled(0);
    assert.notEqual(leader.name, former.name);
  }

  it('stores an employee once, finds it, and refuses what is wrong', async () => {
    assert.deepEqual(await router.request('POST', '/employee', JANE), { status: 201, body: JANE });
    assert.deepEqual(await router.request('GET', '/employee/jane'), { status: 200, body: JANE });
    assert.deepEqual((await router.request('GET', '/employees?salary=20000')).body, [JANE]);
    const codes = await Promise.all(
      [
        router.request('POST', '/employee', JANE),
        router.request('GET', '/employee/john'),
        router.request('POST', '/employee', { ...JANE, salary: 'much' }),
        router.request('POST', '/employee', { ...JANE, employee_id: 'x', color: 'red' }),
      ].map(async (request) => {
        const { status, body } = await request;
        const { code, field } = body as { code: string; field?: string };
        return { status, code, field };
      }),
    );
    assert.deepEqual(codes, [
      { status: 409, code: 'DUPLICATE_KEY', field: undefined },
      { status: 404, code: 'NOT_FOUND', field: undefined },
      { status: 400, code: 'REQUEST_INVALID', field: 'salary' },
      { status: 400, code: 'REQUEST_INVALID', field: 'color' },
    ]);
  });

  it('applies a section of a role at once, on every instance', async () => {
    assert.equal((await cluster.patch(router, { [SECTION]: { maxSalary: 50_000 } })).status, 200);
    const rich = { ...JANE, employee_id: 'rich', salary: 50_001 };
    assert.deepEqual(await router.request('POST', '/employee', rich), {
      status: 400,
      body: {
        code: 'REQUEST_INVALID',
        field: 'salary',
        message: 'salary: must be at most 50000, not 50001',
      },
    });
    assert.equal((await cluster.patch(router, { [SECTION]: null })).status, 200);
    assert.equal((await router.request('POST', '/employee', rich)).status, 201);
  });

  it('goes on after the data process of a leader was killed', (test) =>
    underWrites(test, async (leader, writer) => {
      await leader.killDataProcess();
      await writer.acknowledges(20);
      leader.start();
      await assertFollows(leader);
    }));

  it('goes on after a leader was lost with its launcher', (test) =>
    underWrites(test, async (leader, writer) => {
      await leader.crash();
      await writer.acknowledges(20);
      leader.start();
      await assertFollows(leader);
    }));

  it('goes on while a leader is frozen, and takes it back', (test) =>
    underWrites(test, async (leader, writer) => {
      leader.pause();
      await writer.acknowledges(20);
      leader.resume();
      await assertFollows(leader);
    }));

  it('hands leadership over when a leader is told to stop', (test) =>
    underWrites(test, async (leader, writer) => {
      await leader.stop('SIGTERM');
      await writer.acknowledges(20);
      leader.start();
      await assertFollows(leader);
    }));

  it('goes on without a follower, and takes it back', (test) =>
    underWrites(test, async (leader, writer) => {
      const follower = await followerOf(0, leader);
      await follower.crash();
      await writer.acknowledges(20);
      const { replicaSet, uuid } = await leader.status();
      assert.deepEqual(replicaSet?.inSync, [uuid]);
      follower.start();
    }));

  it('goes on when the coordinator is lost together with a leader', (test) =>
    underWrites(test, async (leader, writer) => {
      const [first, second] = cluster.routers;
      assert.ok(first !== undefined && second !== undefined);
      router = second;
      await Promise.all([first.crash(), leader.crash()]);
      await writer.acknowledges(20);
      first.start();
      leader.start();
      await assertFollows(leader);
    }));

  it('writes on with the same leader while etcd is frozen, and afterwards', (test) =>
    underWrites(test, async (leader, writer) => {
      etcd.pause();
      try {
        // Nothing tells how long nothing happens: several times as long as a lease lasts.
        await sleep(6 * TTL_MS);
        await writer.acknowledges(20);
      } finally {
        etcd.resume();
      }
      await writer.acknowledges(20);
      assert.equal(await cluster.leaderOf(0), leader);
    }));

  it('answers 503 with a reason for a replica set without instances, and serves the other', async () => {
    const watch = new LeaderWatch(cluster);
    const other = startWriter(1);
    const instances = cluster.storages[0] ?? [];
    await cluster.settled(0);
    await Promise.all(instances.map((instance) => instance.stop('SIGTERM')));
    const id = ['a', 'b', 'c', 'd', 'e', 'f'].find((one) => cluster.setOf(one) === 0);
    const { status, body } = await router.request('POST', '/employee', {
      ...JANE,
      employee_id: id,
    });
    const { code, message } = body as { code: string; message: string };
    assert.deepEqual({ status, code }, { status: 503, code: 'NO_LEADER' });
    assert.match(message, /Nothing was written or read within 5000 ms: .+ It is safe to try again/);
    await other.acknowledges(10);
    for (const instance of instances) instance.start();
    await cluster.settled(0);
    await other.stop();
    await watch.stop();
    assert.equal((await router.request('GET', `/employee/${id}`)).status, 404);
    assert.deepEqual(other.surprises, []);
    assert.deepEqual(await other.stored(), other.acknowledged.toSorted());
    assert.deepEqual(watch.violations, []);
  });

  it('keeps the rows that a lost leader could not replicate apart, and says so', async () => {
    const employee = { ...JANE, employee_id: idOf(cluster, 'tail') };
    // A leader that was killed above, with a write under way, may have lost one as well.
    const earlier = (await Promise.all(cluster.instances.map(lostRows))).flat();
    const leader = await leaveTail(employee);
    assert.equal((await router.request('GET', `/employee/${employee.employee_id}`)).status, 404);
    const lost = (await lostRows(leader)).filter(
      ({ message }) => !earlier.some((known) => known.message === message),
    );
    assert.equal(lost.length, 1, JSON.stringify(lost));
    assert.match(lost[0]?.message ?? '', /^1 rows of term \d+ were never acknowledged/);
    const file = /kept in (lost\/\d+\.xlog)/.exec(lost[0]?.message ?? '')?.[1] ?? '';
    assert.ok(existsSync(path.join(leader.workdir, 'data', file)));
  });

  it('has every row after all instances were killed at once', async (test) => {
    const writers = [startWriter(0), startWriter(1)];
    const watch = new LeaderWatch(cluster);
    for (const writer of writers) await writer.acknowledges(50);
    await Promise.all(cluster.instances.map((instance) => instance.crash()));
    for (const instance of cluster.instances) instance.start();
    for (const writer of writers) await writer.acknowledges(20);
    for (const set of writers.keys()) await cluster.settled(set);
    for (const writer of writers) await writer.stop();
    await watch.stop();
    assert.deepEqual(watch.violations, []);
    for (const writer of writers) {
      test.diagnostic(
        `${writer.acknowledged.length} writes, longest gap ${writer.longestGapMs} ms`,
      );
      assert.deepEqual(writer.surprises, []);
      assert.deepEqual(await writer.stored(), writer.acknowledged.toSorted());
    }
    assert.deepEqual(await router.request('GET', '/employee/jane'), { status: 200, body: JANE });
  });
});

async function lostRows(instance: LocalInstance): Promise<InstanceStatus['issues']> {
  const { issues } = await instance.status();
  return issues.filter(({ topic }) => topic === 'lost-rows');
}

/** One that belongs to the first storage. */
function idOf(cluster: LocalCluster, prefix: string): string {
  for (let number = 0; ; number++) {
    if (cluster.setOf(`${prefix}-${number}`) === 0) return `${prefix}-${number}`;
  }
}
