/** A state provider that is away, under writes: leaders go on by peer leases, and never are there two. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ROWS } from '../soak/crash-rounds.ts';
import { type Loads, RowWriters } from '../soak/row-writers.ts';
import { type EtcdMember, findEtcd, startEtcdCluster } from '../support/etcd.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { startStateboardIn } from '../support/stateboard.ts';
import { waitUntil } from '../support/wait-until.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';

const running = new AsyncDisposableStack();
const started: ReplicaSet[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((set) => set.stop()));
});

async function startSet(provider: StateProviderConfig): Promise<ReplicaSet> {
  const environment = { TONEARM_LOG_LEVEL: 'info' };
  const options = { instances: 2, application: ROWS, role: 'soak.rows', environment, provider };
  const set = await ReplicaSet.start(options);
  started.push(set);
  await set.settled();
  return set;
}

async function startOneEtcd(): Promise<EtcdMember> {
  const etcd = running.adopt(await startEtcdCluster(binary!, 1), (cluster) => cluster.stop());
  return etcd.members[0]!;
}

const etcdProvider = (member: EtcdMember): StateProviderConfig => ({
  ...{ kind: 'etcd', endpoints: [member.endpoint], prefix: '/away/' },
});

const byPeerLeases = async (instance: LocalInstance): Promise<boolean> =>
  (await instance.status()).replicaSet?.peerLeases === true;

/** The provider is away for several times a lease: not one write fails, and the same instance leads. */
async function writesThrough(
  set: ReplicaSet,
  away: () => Promise<void> | void,
  back: () => Promise<void> | void,
): Promise<void> {
  const writers = new RowWriters(set, new SeededRandom(1));
  const leader = await set.leader();
  const load: Loads = await writers.load(leader);
  await waitUntil('it writes', () => load.acknowledgements > 100);
  await away();
  await waitUntil('it leads by peer leases', () => byPeerLeases(leader));
  const { issues } = await leader.status();
  assert.match(issues.map(({ message }) => message).join(), /go on by peer leases/);
  await sleep(4000);
  const before = load.acknowledgements;
  await waitUntil('it writes on', () => load.acknowledgements > before + 100);
  await back();
  await waitUntil('it leads by its lease again', async () => !(await byPeerLeases(leader)));
  await load.finish();
  assert.deepEqual([load.refusals, load.surprises], [[], []]);
  assert.equal((await leader.status()).replicaSet?.term, 1);
}

describe('a leader whose state provider is away', () => {
  after(() => running.disposeAsync());

  it('writes on while etcd is frozen', { skip: absent }, async () => {
    const etcd = await startOneEtcd();
    const set = await startSet(etcdProvider(etcd));
    await writesThrough(
      set,
      () => etcd.pause(),
      () => etcd.resume(),
    );
  });

  it('writes on while etcd is dead; if it dies then, its set waits', { skip: absent }, async () => {
    const etcd = await startOneEtcd();
    const set = await startSet(etcdProvider(etcd));
    await writesThrough(
      set,
      () => etcd.kill(),
      () => etcd.start(),
    );
    const leader = await set.leader();
    const [follower] = set.instances.filter((instance) => instance !== leader);
    await etcd.kill();
    await waitUntil('it leads by peer leases', () => byPeerLeases(leader));
    process.kill(leader.dataPid, 'SIGKILL');
    await sleep(3000);
    assert.equal((await follower!.status()).replicaSet?.writable, false);
    await etcd.start();
    await waitUntil('the follower leads', async () => {
      const status = await follower!.status();
      return status.replicaSet?.writable === true;
    });
    await leader.ended();
  });

  it('writes on while the stateboard is frozen', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-away-'));
    running.defer(() => rmSync(folder, { recursive: true, force: true }));
    const { uri, child, kill } = await startStateboardIn(folder);
    running.defer(() => kill());
    const set = await startSet({ kind: 'stateboard', uri, prefix: '/away', password: '' });
    const signal = (name: NodeJS.Signals) => (): void => void child.kill(name);
    await writesThrough(set, signal('SIGSTOP'), signal('SIGCONT'));
  });
});
