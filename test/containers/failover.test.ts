/** Failover of a whole cluster in containers, under the faults that an engine can make. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmployeeWriter } from '../support/employee-writer.ts';
import { LeaderWatch } from '../support/leader-watch.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ContainerCluster } from './container-cluster.ts';

/** Longer than a lease of the cluster, whatever was sent last. */
const LEASE_MS = 2500;

describe('failover in containers', () => {
  let cluster: ContainerCluster;
  let watch: LeaderWatch;
  let writers: readonly EmployeeWriter[];

  before(async () => {
    cluster = await ContainerCluster.start([3, 2]);
    watch = new LeaderWatch(cluster);
    writers = [0, 1].map(
      (set) =>
        new EmployeeWriter({
          ...{ cluster, set, prefix: `row${set}`, salaryFrom: 1000 * (set + 1) },
          through: () => cluster.router,
        }),
    );
  });
  after(async () => {
    // Whatever has failed, nothing of it goes on.
    await Promise.all([...writers.map((writer) => writer.stop()), watch.stop()]);
    await cluster.remove();
  });

  const writesGoOn = async (): Promise<void> => {
    await Promise.all(writers.map((writer) => writer.acknowledges(20)));
  };

  it('replaces a leader whose network was taken away, which does not lead when it is back', async () => {
    const old = await cluster.settled(0);
    await old.container.cut();
    const next = await cluster.leaderOf(0, old);
    await writesGoOn();
    assert.equal((await old.status()).replicaSet?.writable, false);
    await old.container.mend();
    assert.equal(await cluster.settled(0), next);
  });

  it('replaces a leader that stands still, which does not lead when it goes on', async () => {
    const old = await cluster.settled(1);
    await old.container.pause();
    await cluster.leaderOf(1, old);
    await writesGoOn();
    await old.container.resume();
    await cluster.settled(1);
  });

  it('replaces a leader whose container was killed, and takes it back with its rows', async () => {
    const old = await cluster.settled(0);
    await old.container.kill();
    await cluster.leaderOf(0, old);
    await writesGoOn();
    await old.container.start();
    await cluster.settled(0);
  });

  it('hands over when a leader is stopped, with no failed write', async () => {
    const old = await cluster.settled(1);
    const failed = failures();
    await old.container.stop();
    await cluster.leaderOf(1, old);
    await writesGoOn();
    assert.equal(failures(), failed);
    await old.container.start();
    await cluster.settled(1);
  });

  it('keeps its leaders while a member of etcd is lost, and while the link to etcd is slow', async () => {
    const leaders = await Promise.all([cluster.settled(0), cluster.settled(1)]);
    const [member] = cluster.etcd;
    await member!.kill();
    await writesGoOn();
    await sleep(LEASE_MS);
    await writesGoOn();
    await cluster.link.delay(100);
    await sleep(LEASE_MS);
    await writesGoOn();
    await cluster.link.delay(0);
    await member!.start();
    assert.deepEqual(await Promise.all([cluster.settled(0), cluster.settled(1)]), leaders);
  });

  it('has lost nothing that was acknowledged, and never had two leaders', async () => {
    await writesGoOn();
    await Promise.all(writers.map((writer) => writer.stop()));
    await watch.stop();
    assert.deepEqual(watch.violations, []);
    assert.ok(watch.seen > 0);
    for (const writer of writers) {
      assert.deepEqual(writer.surprises, []);
      const stored = new Set(
        await waitUntil('the rows can be listed', () => writer.stored().catch(() => undefined)),
      );
      assert.deepEqual(
        writer.acknowledged.filter((id) => !stored.has(id)),
        [],
      );
    }
  });

  /** Answers other than success, but those to a row that was sent again and found. */
  const failures = (): number =>
    writers
      .flatMap(({ answers }) => [...answers])
      .filter(([status]) => status !== 201 && status !== 409)
      .reduce((sum, [, times]) => sum + times, 0);
});
