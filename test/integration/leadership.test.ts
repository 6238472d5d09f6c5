import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EtcdStateProvider } from '../../runtime/src/adapters/etcd-state-provider.ts';
import { type Topology, topologySchema } from '../../runtime/src/contract/cluster-config.ts';
import { leaseSchema, providerKeys } from '../../runtime/src/contract/provider-records.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import { systemRandom } from '../../runtime/src/foundation/random.ts';
import { releaseHeld } from '../../runtime/src/launcher/release.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { CoordinatorService } from '../../runtime/src/services/coordinator-service.ts';
import { FailoverService } from '../../runtime/src/services/failover-service.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { ModelStorage } from '../support/model-storage.ts';

const binary = findEtcd();
const absent =
  binary === undefined && 'no etcd: install etcd-server, or set ETCD_BIN to its binary';

const CLUSTER = '00000000-0000-4000-8000-00000000000c';
const SET = '00000000-0000-4000-8000-0000000000aa';
const [A, B] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];
const TTL_SECONDS = 1;

function topology(endpoint: string): Topology {
  const server = (uuid: string) => ({
    ...{ uri: 'host:1', http_uri: `${uuid}:1`, alias: uuid, replicaset_uuid: SET },
  });
  return topologySchema.parse({
    servers: { [A]: server(A), [B]: server(B) },
    replicasets: {
      [SET]: { alias: 'set', roles: ['failover-coordinator'], failover_priority: [A, B] },
    },
    failover: {
      mode: 'stateful',
      fencing_ttl: TTL_SECONDS,
      state_provider: { kind: 'etcd', endpoints: [endpoint], prefix: '/leadership/' },
    },
  });
}

class Instance {
  readonly uuid: string;
  readonly failover: FailoverService;
  readonly coordinator: CoordinatorService;
  readonly providers: StateProvider[] = [];
  readonly storage = new ModelStorage({ entries: [], promisedTerm: 0 });
  readonly #network: SimulatedNetwork;

  constructor(uuid: string, network: SimulatedNetwork, endpoint: string) {
    this.uuid = uuid;
    this.#network = network;
    const shared = {
      identity: {
        ...{ v: 1 as const, uuid, clusterUuid: CLUSTER, bootId: 'boot' },
        ...{ incarnation: 1, logIncarnation: 1 },
      },
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
      peers: network.peersFor(`${uuid}:1`),
      openProvider: () => {
        const provider = new EtcdStateProvider({ endpoints: [endpoint], prefix: '/leadership/' });
        this.providers.push(provider);
        return provider;
      },
      onFatal: (_: string, error: unknown) => {
        throw error;
      },
    };
    const disk = new SimulatedDisk({ clock: systemClock, random: new SeededRandom(1) });
    this.failover = new FailoverService({
      ...shared,
      disk: disk.mount(),
      storage: this.storage,
      onHeld: () => undefined,
    });
    this.coordinator = new CoordinatorService({ ...shared, onLockHeld: () => undefined });
  }

  async start(config: Topology): Promise<void> {
    await this.failover.open();
    this.#network.listen(
      `${this.uuid}:1`,
      new Map([
        ...this.failover.handlers(),
        ['status', async () => ({ uuid: this.uuid, replicaSet: this.storage.report() })],
      ]),
    );
    await this.failover.configure(config);
  }

  get leads(): boolean {
    const current = this.failover.current();
    return current.kind === 'leader' && current.deadlineMs > systemClock.monotonicMs();
  }

  /** As if its process were dead: it says nothing any more, and releases nothing. */
  async vanish(): Promise<void> {
    this.#network.close(`${this.uuid}:1`);
    for (const provider of this.providers) await provider.close();
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition(); attempt++) {
    assert.ok(attempt < 1500, 'it did not become true within 15 s');
    await systemClock.sleep(10);
  }
}

describe('leadership on a real etcd', { skip: absent }, () => {
  let etcd: RealEtcd;
  let instances: readonly [Instance, Instance];
  let coordinator: CoordinatorService;

  before(async () => {
    etcd = await startEtcd(binary!);
    const network = new SimulatedNetwork({ clock: systemClock, random: new SeededRandom(1) });
    instances = [new Instance(A, network, etcd.endpoint), new Instance(B, network, etcd.endpoint)];
    for (const instance of instances) await instance.start(topology(etcd.endpoint));
    coordinator = instances[1].coordinator;
    await coordinator.configure(topology(etcd.endpoint));
  });
  after(async () => {
    await coordinator.close();
    for (const { failover } of instances) await failover.close();
    await etcd.stop();
  });

  it('appoints the first in priority, and shows it to all [FO-42]', async () => {
    const [a, b] = instances;
    await until(() => a.leads && b.failover.leaderOf(SET)?.uuid === A);
    assert.deepEqual(b.failover.leaderOf(SET), { uuid: A, term: 1 });
    assert.equal(
      await a.failover.proposeInSync(
        [A, B].map((uuid) => ({ uuid, incarnation: 1 })),
        'test',
      ),
      'stored',
    );
  });

  it('hands leadership over without waiting for a lease', async () => {
    const [a, b] = instances;
    assert.deepEqual(await a.failover.handover(B, 'test'), { uuid: B, term: 2 });
    await until(() => b.leads);
    assert.deepEqual(await b.failover.handover(A, 'test'), { uuid: A, term: 3 });
    await until(() => a.leads && !b.leads);
  });

  it('appoints another after the lease of a vanished leader has run out, not before', async () => {
    const [a, b] = instances;
    const current = a.failover.current();
    assert.ok(current.kind === 'leader');
    await a.vanish();
    await until(() => b.leads);
    const last = a.failover.current();
    assert.ok(last.kind !== 'leader' || last.deadlineMs < systemClock.monotonicMs());
    assert.deepEqual(b.failover.leaderOf(SET), { uuid: B, term: 4 });
  });

  it('releases the lease of a dead process for its launcher', async () => {
    const [, b] = instances;
    await b.failover.close();
    const provider = new EtcdStateProvider({
      endpoints: [etcd.endpoint],
      prefix: '/leadership/',
    });
    const key = providerKeys.lease(SET);
    const lease = { v: 1, term: 9, holder: A, incarnation: 1, nonce: 'n', released: false };
    await provider.transact(
      { compare: [], writes: [{ kind: 'put', key, value: JSON.stringify(lease) }] },
      { timeoutMs: 5_000 },
    );
    const held = { provider: null, holder: A, incarnation: 1, leases: [SET], lock: false };
    const left = await releaseHeld(held, { provider, clock: systemClock, limitMs: 5_000 });
    assert.deepEqual(left, []);
    const entry = await provider.get(key, { timeoutMs: 5_000 });
    assert.deepEqual(leaseSchema.parse(JSON.parse(entry!.value)), { ...lease, released: true });
    await provider.close();
  });
});
