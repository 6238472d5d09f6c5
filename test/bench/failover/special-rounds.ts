/** Rounds of the suite `failover` that need a cluster of their own. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RealEtcd } from '../../support/etcd.ts';
import { LocalCluster } from '../../support/local-cluster.ts';
import type { LocalInstance } from '../../support/local-instance.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { faults } from './faults.ts';
import { missingOf, type Round } from './rounds.ts';
import { longestSilence, WriteLoad } from './write-load.ts';

const AWAY_MS = 60_000;
/** Dozens of processes start slowly on a small machine. */
const PATIENCE_MS = 240_000;
const SALARY = 1000;
/** The roles of all are configured then, and what a start leaves to be done later is done. */
const SETTLED_MS_PER_INSTANCE = 700;
/** Writes before the fault: code that runs for the first time is slow. */
const BEFORE_MS = 5000;
/** The provider is away for so long before a leader is lost, and for so long afterwards: each more than two leases. */
const HALF_AWAY_MS = 6000;

/** No write may fail while the state provider is away, nor when it is back. */
export async function stopProvider(etcd: RealEtcd): Promise<Round> {
  const storages = [2, 2];
  return withCluster(etcd, storages, async (cluster) => {
    const load = new WriteLoad({ cluster, sets: [0, 1], salary: SALARY, perSecond: 1000 });
    await delay(BEFORE_MS);
    const atMs = performance.now();
    etcd.pause();
    await delay(AWAY_MS);
    etcd.resume();
    await delay(BEFORE_MS);
    return finish(cluster, load, () => [
      longestSilence(
        load.acknowledged.map((row) => row.atMs),
        atMs,
      ).ms,
    ]);
  });
}

/**
 * Its set waits; nobody else may lead. From the first linearizable read that the provider answers again until the first
 * write that is accepted.
 */
export async function loseLeaderWhileAway(
  etcd: RealEtcd,
  fault: 'kill' | 'crash',
  rounds: number,
): Promise<Round> {
  return withCluster(etcd, [2, 2], async (cluster) => {
    const load = new WriteLoad({ cluster, sets: [0], salary: SALARY, perSecond: 100 });
    const gapsMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await delay(BEFORE_MS);
      const leader = await cluster.leaderOf(0);
      etcd.pause();
      await delay(HALF_AWAY_MS);
      await faults[fault].inflict({ cluster }, leader);
      await delay(HALF_AWAY_MS);
      await requireNoLeader(cluster, leader);
      etcd.resume();
      const answeredMs = await firstRead(etcd);
      const accepted = (): number | undefined =>
        load.acknowledged.find(({ atMs }) => atMs > answeredMs)?.atMs;
      await waitUntil('a write is accepted', () => accepted() !== undefined);
      gapsMs.push((accepted() ?? 0) - answeredMs);
      await faults[fault].undo({ cluster }, leader);
      await inSync(cluster, 0);
    }
    return finish(cluster, load, () => gapsMs);
  });
}

async function requireNoLeader(cluster: LocalCluster, lost: LocalInstance): Promise<void> {
  for (const instance of cluster.storages[0] ?? []) {
    if (instance === lost) continue;
    const { replicaSet } = await instance.status();
    if (replicaSet?.writable !== true) continue;
    throw new Error(`${instance.name} leads, though the state provider could appoint nobody`);
  }
}

/** Linearizable, as the gateway of etcd reads unless it is asked for less. */
async function firstRead({ endpoint }: RealEtcd): Promise<number> {
  const key = Buffer.from('any').toString('base64');
  for (;;) {
    const init = { method: 'POST', body: JSON.stringify({ key }) };
    const signal = AbortSignal.timeout(1000);
    const answer = await fetch(`${endpoint}/v3/kv/range`, { ...init, signal }).catch(
      () => undefined,
    );
    if (answer?.ok === true) return performance.now();
    await delay(5);
  }
}

/** As when a machine with many leaders is lost, but that the launchers live. */
export async function loseManyLeaders(etcd: RealEtcd, setCount: number): Promise<Round> {
  const storages = Array<number>(setCount).fill(2);
  return withCluster(etcd, storages, async (cluster) => {
    const sets = [...storages.keys()];
    const victims = await Promise.all(sets.map((set) => cluster.leaderOf(set)));
    const pids = victims.map(({ dataPid }) => dataPid);
    const load = new WriteLoad({ cluster, sets, salary: SALARY, perSecond: 10 * setCount });
    await delay(BEFORE_MS);
    const atMs = performance.now();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await delay(5000);
    return finish(cluster, load, () =>
      sets.map((set) => {
        const times = load.acknowledged.filter((row) => row.set === set).map((row) => row.atMs);
        return longestSilence(times, atMs).endedMs - atMs;
      }),
    );
  });
}

async function finish(
  cluster: LocalCluster,
  load: WriteLoad,
  gapsMs: () => readonly number[],
): Promise<Round> {
  await load.stop();
  return {
    gapsMs: gapsMs(),
    acknowledged: load.acknowledged.length,
    ranMs: load.ranMs,
    failed: load.failed,
    reasons: [...load.reasons],
    missing: await missingOf(cluster, load, SALARY),
  };
}

async function inSync(cluster: LocalCluster, set: number): Promise<void> {
  const isInSync = async (): Promise<boolean> => {
    const leader = await cluster.leaderOf(set);
    const { replicaSet } = await leader.status();
    return replicaSet?.inSync.length === 2;
  };
  await waitUntil(`all of storage ${set + 1} are in sync`, isInSync, PATIENCE_MS);
}

async function withCluster<T>(
  etcd: RealEtcd,
  storages: readonly number[],
  work: (cluster: LocalCluster) => Promise<T>,
): Promise<T> {
  const cluster = await LocalCluster.start({
    provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: `/special-${storages.length}/` },
    ...{ routers: 2, storages, fencingTtlSeconds: 2 },
    ...{ environment: { TONEARM_LOG_LEVEL: 'info' }, patienceMs: PATIENCE_MS },
  });
  try {
    for (const set of storages.keys()) await inSync(cluster, set);
    await delay(SETTLED_MS_PER_INSTANCE * cluster.instances.length);
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}
