import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../contract/cluster-config.ts';
import { type Appointment, type Lease, providerKeys } from '../contract/provider-records.ts';
import type { Clock } from '../foundation/clock.ts';
import { silentLogger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDisk } from '../testing/simulated-disk.ts';
import { SimulatedNetwork } from '../testing/simulated-peers.ts';
import { SimulatedStateProvider } from '../testing/simulated-state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import { FailoverService } from './failover-service.ts';
import type { StorageReport } from './replica-set-storage.ts';

const CLUSTER = '00000000-0000-4000-8000-00000000000c';
const SET = '00000000-0000-4000-8000-0000000000aa';
const [A, B] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];

const topology = topologySchema.parse({
  servers: Object.fromEntries(
    [A, B].map((uuid) => [
      uuid,
      { uri: 'host:1', http_uri: `${uuid}:1`, alias: uuid, replicaset_uuid: SET },
    ]),
  ) as unknown,
  replicasets: { [SET]: { alias: 'set', roles: [], failover_priority: [A, B] } },
  failover: {
    mode: 'stateful',
    fencing_ttl: 1,
    state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/' },
  },
});

const appointed: Appointment = {
  ...{ v: 1, term: 1, leader: A, reason: 'given' },
  inSync: [A, B].map((uuid) => ({ uuid, incarnation: 1 })),
};
const lease: Lease = {
  ...{ v: 1, term: 1, holder: A, incarnation: 0, nonce: 'n', released: false },
};

/** What A's client has seen before the state provider was set up anew, if it was: others count from another number. */
async function givenHistory(client: SimulatedStateProvider, store: SimulatedStore): Promise<void> {
  store.forget(1000);
  await client.get('anything', { timeoutMs: 100 });
  store.forget();
}

/** All but the first write of this file take a second. */
function slowLater(disk: Disk, path: string, clock: Clock): Disk {
  let writes = 0;
  return {
    ...disk,
    writeAtomic: async (file, bytes) => {
      if (file === path && writes++ > 0) await clock.sleep(1000);
      return disk.writeAtomic(file, bytes);
    },
  };
}

/** Two instances with equal logs, of which A leads; B's log has the incarnation that is given. */
async function givenLeader(
  logIncarnationOfB: number,
  { hasForgotten = false, diskOfB = (disk: Disk, _clock: Clock) => disk } = {},
) {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const store = new SimulatedStore();
  const providers = new Map<string, SimulatedStateProvider>(
    [A, B].map((uuid) => [uuid, new SimulatedStateProvider({ store, clock, random })]),
  );
  const providerOf = (uuid: string): SimulatedStateProvider => {
    const provider = providers.get(uuid);
    assert.ok(provider);
    return provider;
  };
  if (hasForgotten) await givenHistory(providerOf(A), store);
  store.transact({
    compare: [],
    writes: [
      { kind: 'put', key: providerKeys.leader(SET), value: JSON.stringify(appointed) },
      { kind: 'put', key: providerKeys.lease(SET), value: JSON.stringify(lease) },
    ],
  });
  const network = new SimulatedNetwork({ clock, random });
  const start = async (uuid: string, logIncarnation: number): Promise<FailoverService> => {
    const report: StorageReport = {
      ...{ position: { term: 1, sequence: 7 }, promisedTerm: 1, logIncarnation },
    };
    const disk = new SimulatedDisk({ clock, random }).mount();
    const failover = new FailoverService({
      ...{ clock, random, logger: silentLogger, peers: network.peersFor(uuid) },
      identity: {
        ...{ v: 1, uuid, clusterUuid: CLUSTER, bootId: 'boot', incarnation: 1, logIncarnation },
      },
      disk: uuid === B ? diskOfB(disk, clock) : disk,
      storage: {
        report: () => report,
        progress: () => ({ acknowledged: { term: 0, sequence: 0 }, isComplete: true }),
        seenTerm: () => report.promisedTerm,
        promise: async () => report,
        freeze: async () => report.position,
        thaw: () => undefined,
      },
      openProvider: () => providerOf(uuid),
      onHeld: () => undefined,
      onFatal: (_name, error) => assert.fail(String(error)),
    });
    await failover.open();
    await failover.configure(topology);
    network.listen(`${uuid}:1`, failover.handlers());
    return failover;
  };
  const first = start(A, 1);
  const second = start(B, logIncarnationOfB);
  await clock.advance(100);
  const [leader, other] = await Promise.all([first, second]);
  assert.equal(leader.current().kind, 'leader');
  return { clock, leader, other, providerOf };
}

describe('a planned handover', () => {
  it('moves leadership to an instance that has its seat and all rows', async () => {
    const { clock, leader } = await givenLeader(1);
    const outcome = leader.handover(undefined, 'asked for');
    await clock.advance(100);
    assert.deepEqual(await outcome, { uuid: B, term: 2 });
  });

  it('needs nothing of the state provider after its transaction, and the lease counts from before it', async () => {
    const { clock, leader, other, providerOf } = await givenLeader(1);
    providerOf(A).faults.delayMs = 200;
    const askedMs = clock.monotonicMs();
    const outcome = leader.handover(B, 'asked for');
    await clock.advance(100);
    providerOf(B).faults.reach = 'refused';
    await clock.advance(200);
    assert.deepEqual(await outcome, { uuid: B, term: 2 });
    const current = other.current();
    assert.ok(current.kind === 'leader');
    assert.equal(current.term, 2);
    const ttlMs = 1000;
    assert.ok(current.deadlineMs <= askedMs + ttlMs + 100, `${current.deadlineMs - askedMs}`);
  });

  it('moves it back as well, though the two count the revisions of the state provider differently', async () => {
    const { clock, leader, other } = await givenLeader(1, { hasForgotten: true });
    const there = leader.handover(B, 'asked for');
    await clock.advance(100);
    assert.deepEqual(await there, { uuid: B, term: 2 });
    assert.equal(other.current().kind, 'leader');
    const back = other.handover(A, 'asked for');
    await clock.advance(100);
    assert.deepEqual(await back, { uuid: A, term: 3 });
    for (const each of [leader, other]) assert.deepEqual(each.leaderOf(SET), { uuid: A, term: 3 });
    assert.equal(leader.current().kind, 'leader');
  });

  it('waits for no disk of the successor that has the in-sync members already', async () => {
    const diskOfB = (disk: Disk, clock: Clock): Disk => slowLater(disk, 'in-sync.json', clock);
    const { clock, leader, other } = await givenLeader(1, { diskOfB });
    const outcome = leader.handover(B, 'asked for');
    await clock.advance(100);
    assert.deepEqual(await outcome, { uuid: B, term: 2 });
    assert.equal(other.current().kind, 'leader');
  });

  it('is refused to an instance that could not keep its lease', async () => {
    const { clock, leader, providerOf } = await givenLeader(1);
    providerOf(B).faults.reach = 'refused';
    const outcome = assert.rejects(leader.handover(B, 'asked for'), { code: 'STATE_FORBIDS' });
    await clock.advance(300);
    await outcome;
    assert.equal(leader.current().kind, 'leader');
  });

  it('is refused to an instance that has lost its seat, as that one would not begin', async () => {
    const { clock, leader } = await givenLeader(2);
    const outcome = assert.rejects(leader.handover(B, 'asked for'), { code: 'STATE_FORBIDS' });
    await clock.advance(100);
    await outcome;
    assert.equal(leader.current().kind, 'leader');
  });
});
