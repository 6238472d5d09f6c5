/** A leader whose main loop stands still: a thread renews its lease meanwhile, but not for ever. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  permittedUntilMs,
  TOLERATED_STALL_TTLS,
} from '../../runtime/src/core/failover/renewal-permission.ts';
import { type Blocked, sharedMs } from '../soak/fixtures/block-loop.ts';
import { spaceIdOf } from '../soak/row-checker.ts';
import { judgeStaleRound, type StaleRound } from '../soak/stale-judge.ts';
import { readRowKeys, StaleWriter } from '../soak/stale-writers.ts';
import { tuplesOfTerm } from '../soak/term-rows.ts';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LeaderWatch } from '../support/leader-watch.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';
const application = path.join(
  import.meta.dirname,
  '../soak/fixtures/ending-threads-application.ts',
);
const TTL_MS = 1000;
const PATIENCE_MS = 30_000;

describe('a leader whose main loop stands still', { skip: absent }, () => {
  let etcd: RealEtcd;
  let set: ReplicaSet;
  let leader: LocalInstance;
  let rounds = 0;

  before(async () => {
    etcd = await startEtcd(binary!);
    set = await ReplicaSet.start({
      ...{ instances: 2, application, role: 'soak.stale', ttlSeconds: TTL_MS / 1000 },
      environment: { TONEARM_LOG_LEVEL: 'info' },
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/busy/' },
    });
    leader = await set.settled();
    await waitUntil('a thread renews its lease', () => delegations() === 1);
  });
  after(async () => {
    await set.stop();
    await etcd.stop();
  });

  const delegations = (): number =>
    leader.log().split('the lease is renewed beside the main loop').length - 1;

  const write = async (): Promise<{ writer: StaleWriter; round: number; space: number }> => {
    const client = await set.connect(leader);
    const space = await spaceIdOf(client);
    const round = ++rounds;
    const writer = new StaleWriter(client, { round, writer: 1, space });
    await waitUntil('it writes', () => acknowledged(writer) > 20);
    return { writer, round, space };
  };

  const block = async (ms: number): Promise<{ fromMs: number; untilMs: number }> => {
    const { body } = await leader.request('POST', `/block?ms=${ms}`, undefined, PATIENCE_MS);
    const aheadMs = sharedMs() - performance.now();
    const { fromMs, untilMs } = body as Blocked;
    return { fromMs: fromMs - aheadMs, untilMs: untilMs - aheadMs };
  };

  const rowsOf = async (instance: LocalInstance, round: number): Promise<ReadonlySet<string>> => {
    const client = await set.connect(instance);
    try {
      return await readRowKeys(client, await spaceIdOf(client), round);
    } finally {
      client.close();
    }
  };

  /** Everything that was sent was acknowledged, by the leader of the first term. */
  const assertNothingFailed = async (writer: StaleWriter): Promise<void> => {
    await finish(writer);
    const failed = writer.writes.filter(({ outcome }) => outcome !== 'acknowledged');
    assert.deepEqual([failed, writer.surprises], [[], []]);
    assert.equal((await leader.status()).replicaSet?.term, 1);
  };

  it('leads on after longer than the lease, and shorter than is tolerated', async () => {
    const { writer } = await write();
    await block(0.9 * TOLERATED_STALL_TTLS * TTL_MS);
    const before = acknowledged(writer);
    await waitUntil('it writes on', () => acknowledged(writer) > before + 20);
    await assertNothingFailed(writer);
  });

  it('leads on by peer leases when the thread gets no answers from etcd', async () => {
    const { writer } = await write();
    const byPeerLeases = async (): Promise<boolean> =>
      (await leader.status()).replicaSet?.peerLeases === true;
    etcd.pause();
    await waitUntil('it leads by peer leases', byPeerLeases);
    const before = acknowledged(writer);
    await sleep(2 * TTL_MS);
    await waitUntil('it writes on', () => acknowledged(writer) > before + 20);
    etcd.resume();
    await waitUntil('it leads by its lease again', async () => !(await byPeerLeases()));
    await assertNothingFailed(writer);
  });

  it('leads on when its thread has died, and has another one later', async () => {
    await waitUntil('a thread renews its lease', () => delegations() === 2);
    const { writer } = await write();
    process.kill(leader.dataPid, 'SIGUSR2');
    await waitUntil('it says so', () => leader.log().includes('renews the lease has failed'));
    await waitUntil('another thread renews its lease', () => delegations() === 3);
    await assertNothingFailed(writer);
  });

  it('is followed by another if it stands still for longer, and does nothing afterwards', async () => {
    await set.settled();
    const watch = new LeaderWatch(set);
    const since = new Date(Date.now() - 1000);
    const { writer, round, space } = await write();
    const { replicaSet } = await leader.status();
    const silence = await block(permittedUntilMs(0, TTL_MS) + 4 * TTL_MS);
    await finish(writer);
    const next = await set.settled();
    await watch.stop();
    const begun = watch.highest(replicaSet?.uuid ?? '');
    const found = await Promise.all(
      set.instances.map(async (instance) => ({
        ...{ name: instance.name, rows: await rowsOf(instance, round) },
      })),
    );
    const judged: StaleRound = {
      ...{ old: leader.name, term: 1, silence, begun, found, writes: writer.writes },
      applied: () => tuplesOfTerm(leader.workdir, { term: 1, space, since }),
    };
    assert.deepEqual([...judgeStaleRound(judged).violations, ...watch.violations], []);
    assert.deepEqual(writer.surprises, []);
    // While the main loop stood still, and not when it went on.
    assert.ok((begun?.answeredMs ?? Number.POSITIVE_INFINITY) < silence.untilMs);
    assert.deepEqual([begun?.term, begun?.name === next.name], [2, true]);
    assert.notEqual(next, leader);
    assert.ok(writer.writes.some(({ outcome }) => outcome === 'refused'));
  });
});

function acknowledged(writer: StaleWriter): number {
  return writer.writes.filter(({ outcome }) => outcome === 'acknowledged').length;
}

async function finish(writer: StaleWriter): Promise<void> {
  await writer.stop();
  await waitUntil('everything is answered', () => writer.isQuiet);
  writer.close();
}
