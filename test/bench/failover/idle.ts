/**
 * What a cluster costs that nobody uses: CPU time, and requests to the state provider. Real processes for as many
 * instances as a small machine can hold; beyond that the services of leadership of many instances in one process, which
 * ask the real provider the same, but have no rows, no roles and no HTTP.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdStateProvider } from '../../../runtime/src/adapters/etcd-state-provider.ts';
import { type Topology, topologySchema } from '../../../runtime/src/contract/cluster-config.ts';
import { systemClock } from '../../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../../runtime/src/foundation/logger.ts';
import { systemRandom } from '../../../runtime/src/foundation/random.ts';
import { CoordinatorService } from '../../../runtime/src/services/coordinator-service.ts';
import { FailoverService } from '../../../runtime/src/services/failover-service.ts';
import { SeededRandom } from '../../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../../runtime/src/testing/simulated-disk.ts';
import { SimulatedNetwork } from '../../../runtime/src/testing/simulated-peers.ts';
import type { RealEtcd } from '../../support/etcd.ts';
import { LocalCluster } from '../../support/local-cluster.ts';
import { ModelStorage } from '../../support/model-storage.ts';
import { waitUntil } from '../../support/wait-until.ts';

export interface IdleRow {
  readonly instances: number;
  readonly what: 'real processes' | 'leadership only, in one process';
  readonly cpuSecondsPerMinute: number;
  readonly requestsPerSecond: number;
}

const SETTLE_MS = 5000;
const TICK_MS = 10;
const CLUSTER = '00000000-0000-4000-8000-00000000000c';

/** Of two instances each, and one of routers. */
export async function idleProcesses(
  etcd: RealEtcd,
  instances: number,
  seconds: number,
): Promise<IdleRow> {
  const routers = instances % 2 === 0 ? 2 : 1;
  const cluster = await LocalCluster.start({
    provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: `/idle-${instances}/` },
    ...{ routers, storages: Array<number>((instances - routers) / 2).fill(2) },
    ...{ fencingTtlSeconds: 2, environment: { TONEARM_LOG_LEVEL: 'info' } },
  });
  try {
    const pids = cluster.instances.flatMap(({ pid, dataPid }) => [pid, dataPid]);
    const cpuMs = (): number => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    return { instances, what: 'real processes', ...(await sample(etcd, cpuMs, seconds)) };
  } finally {
    await cluster.stop();
  }
}

export async function idleServices(
  etcd: RealEtcd,
  instances: number,
  seconds: number,
): Promise<IdleRow> {
  const cluster = new Leaderships(etcd.endpoint, instances);
  try {
    await cluster.start();
    const cpuMs = (): number => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const sampled = await sample(etcd, cpuMs, seconds);
    return { instances, what: 'leadership only, in one process', ...sampled };
  } finally {
    await cluster.stop();
  }
}

async function sample(
  etcd: RealEtcd,
  cpuMs: () => number,
  seconds: number,
): Promise<Pick<IdleRow, 'cpuSecondsPerMinute' | 'requestsPerSecond'>> {
  await delay(SETTLE_MS);
  const before = { cpuMs: cpuMs(), requests: await requestsOf(etcd), atMs: performance.now() };
  await delay(seconds * 1000);
  const tookS = (performance.now() - before.atMs) / 1000;
  return {
    cpuSecondsPerMinute: ((cpuMs() - before.cpuMs) / 1000 / tookS) * 60,
    requestsPerSecond: ((await requestsOf(etcd)) - before.requests) / tookS,
  };
}

/** Calls that it was asked for since it started, as its own metrics count them. */
async function requestsOf(etcd: RealEtcd): Promise<number> {
  const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const counts = text.matchAll(/^grpc_server_started_total\{.*grpc_type="unary"\} (\S+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** The services of leadership of a cluster of replica sets of two, of which the first one coordinates. */
class Leaderships {
  readonly #endpoint: string;
  readonly #uuids: readonly string[];
  readonly #failovers: FailoverService[] = [];
  readonly #coordinators: CoordinatorService[] = [];

  constructor(endpoint: string, instances: number) {
    this.#endpoint = endpoint;
    this.#uuids = Array.from({ length: instances }, (_, index) => uuidOf('b', index));
  }

  async start(): Promise<void> {
    const network = new SimulatedNetwork({ clock: systemClock, random: new SeededRandom(1) });
    const topology = this.#topology();
    for (const [index, uuid] of this.#uuids.entries()) {
      await this.#startOne({ uuid, network, topology, coordinates: index < 2 });
    }
    const leads = (failover: FailoverService): boolean => failover.current().kind === 'leader';
    const count = this.#uuids.length / 2;
    await waitUntil(
      'all replica sets have leaders',
      () => this.#failovers.filter(leads).length >= Math.floor(count),
      60_000,
    );
  }

  async stop(): Promise<void> {
    for (const coordinator of this.#coordinators) await coordinator.close();
    await Promise.all(this.#failovers.map((failover) => failover.close()));
  }

  async #startOne(one: {
    readonly uuid: string;
    readonly network: SimulatedNetwork;
    readonly topology: Topology;
    readonly coordinates: boolean;
  }): Promise<void> {
    const { uuid, network, topology, coordinates } = one;
    const storage = new ModelStorage({ entries: [], promisedTerm: 0 });
    const shared = {
      identity: {
        ...{ v: 1 as const, uuid, clusterUuid: CLUSTER, bootId: 'boot' },
        ...{ incarnation: 1, logIncarnation: 1 },
      },
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
      peers: network.peersFor(`${uuid}:1`),
      openProvider: () =>
        new EtcdStateProvider({
          endpoints: [this.#endpoint],
          prefix: `/services-${this.#uuids.length}/`,
        }),
      onFatal: (_: string, error: unknown) => {
        throw error;
      },
    };
    const disk = new SimulatedDisk({ clock: systemClock, random: new SeededRandom(1) }).mount();
    const failover = new FailoverService({ ...shared, disk, storage, onHeld: () => undefined });
    await failover.open();
    network.listen(
      `${uuid}:1`,
      new Map([
        ...failover.handlers(),
        ['status', async () => ({ uuid, replicaSet: storage.report() })],
      ]),
    );
    await failover.configure(topology);
    this.#failovers.push(failover);
    if (!coordinates) return;
    const coordinator = new CoordinatorService({ ...shared, onLockHeld: () => undefined });
    await coordinator.configure(topology);
    this.#coordinators.push(coordinator);
  }

  #topology(): Topology {
    const setOf = (index: number): string => uuidOf('a', Math.floor(index / 2));
    const sets = new Set(this.#uuids.map((_, index) => setOf(index)));
    return topologySchema.parse({
      servers: Object.fromEntries(
        this.#uuids.map((uuid, index) => [
          uuid,
          { uri: 'host:1', http_uri: `${uuid}:1`, alias: uuid, replicaset_uuid: setOf(index) },
        ]),
      ),
      replicasets: Object.fromEntries(
        [...sets].map((set, index) => [
          set,
          {
            alias: set,
            roles: index === 0 ? ['failover-coordinator'] : [],
            failover_priority: this.#uuids.filter((_, at) => setOf(at) === set),
          },
        ]),
      ),
      failover: {
        mode: 'stateful',
        fencing_ttl: 2,
        state_provider: {
          kind: 'etcd',
          endpoints: [this.#endpoint],
          prefix: `/services-${this.#uuids.length}/`,
        },
      },
    });
  }
}

function uuidOf(kind: string, index: number): string {
  return `00000000-0000-4000-8000-0000000${kind}${String(index).padStart(4, '0')}`;
}
