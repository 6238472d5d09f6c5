/**
 * Leadership under faults: stopped and killed processes, clocks of different rates, a state provider that is slow,
 * away or forgetful, cuts between instances, planned handovers at any time.
 *
 * At any moment at most one instance is a writable leader; a term has one leader; whoever leads has every
 * acknowledged write. When all faults end, writes are acknowledged again.
 */
import { type Topology, topologySchema } from '../../runtime/src/contract/cluster-config.ts';
import { leaseSchema, providerKeys } from '../../runtime/src/contract/provider-records.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import { absentIsExpired, bound } from './cluster-bug-ports.ts';
import { InstanceClock } from './leadership-clock.ts';
import { LeadershipInstance } from './leadership-instance.ts';
import type { DurableLog, Entry } from './leadership-storage.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

export type LeadershipBug = 'deadline-from-answer' | 'absent-is-expired';

const CLUSTER = '00000000-0000-4000-8000-00000000000c';
const SET = '00000000-0000-4000-8000-0000000000aa';
const UUIDS = [1, 2, 3].map((number) => `00000000-0000-4000-8000-00000000000${number}`);
const TTL_SECONDS = 2;
const FAULTS_MS = 20_000;
/** A lease of a dead coordinator, one of a dead leader, and elections after them. */
const RECOVERY_MS = 12_000;

function topology(): Topology {
  const servers = UUIDS.map((uuid) => [
    uuid,
    { uri: 'host:1', http_uri: `${uuid}:1`, alias: uuid, replicaset_uuid: SET },
  ]);
  return topologySchema.parse({
    servers: Object.fromEntries(servers) as unknown,
    replicasets: {
      [SET]: { alias: 'set', roles: ['failover-coordinator'], failover_priority: UUIDS },
    },
    failover: {
      mode: 'stateful',
      fencing_ttl: TTL_SECONDS,
      state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/c/' },
    },
  });
}

class World {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly store = new SimulatedStore();
  readonly network: SimulatedNetwork;
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly acknowledged = new Map<number, Entry>();
  readonly instances = new Map<string, LeadershipInstance>();
  /** When an answer about the lease last came, for the planted bug. */
  readonly answeredMs = new Map<string, number>();
  readonly #disks = new Map<string, SimulatedDisk>();
  readonly #logs = new Map<string, DurableLog>();
  readonly #leaders = new Map<number, string>();
  readonly #topology = withAddresses(topology());
  readonly #trueClock: InstanceClock;
  readonly #bug: LeadershipBug | undefined;
  #ids = 0;
  #faultsOver = false;
  #isolated = false;
  #lastLeader = '';

  constructor(seed: number, bug: LeadershipBug | undefined) {
    this.random = new SeededRandom(seed);
    this.#bug = bug;
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.random });
    this.#trueClock = new InstanceClock(this.clock, 1, 0);
  }

  async start(uuid: string): Promise<void> {
    const disk =
      this.#disks.get(uuid) ??
      new SimulatedDisk({ clock: this.clock, random: this.random, latencyMs: 1 });
    const log = this.#logs.get(uuid) ?? { entries: [], promisedTerm: 0 };
    this.#disks.set(uuid, disk);
    this.#logs.set(uuid, log);
    const before = this.instances.get(uuid);
    const instance = new LeadershipInstance({
      ...{ uuid, clusterUuid: CLUSTER, replicaSetUuid: SET, disk, log },
      ...{ network: this.network, store: this.store, world: this.#trueClock, random: this.random },
      incarnation: (before?.options.incarnation ?? 0) + 1,
      // Rates differ by 1.045 / 0.955, less than the tenth that an observer waits longer.
      clock: new InstanceClock(
        this.clock,
        0.955 + this.random.fraction() * 0.09,
        this.random.fraction() * 1e6,
      ),
      topology: this.#topology,
      nextId: () => this.#ids++,
      onAcknowledged: (entry) => {
        this.acknowledged.set(entry.id, entry);
        this.count('acknowledged');
      },
      onFatal: (error) => this.violate(`a service failed: ${String(error)}`),
      wrap: (provider, kind) => this.#wrap(provider, kind, uuid),
    });
    this.instances.set(uuid, instance);
    await instance.start();
  }

  /** Nothing waits here, so that checks and faults see one moment. */
  check(): void {
    const leaders = [...this.instances.values()].flatMap((instance) => {
      const leadership = this.#writable(instance);
      return leadership === undefined ? [] : [{ instance, leadership }];
    });
    if (leaders.length > 1) {
      const names = leaders.map(({ instance, leadership }) => {
        return `${instance.options.uuid.slice(-1)} in term ${leadership.term}`;
      });
      this.violate(`two writable leaders: ${names.join(' and ')}`);
    }
    for (const { instance, leadership } of leaders) this.#checkLeader(instance, leadership.term);
  }

  violate(message: string): void {
    this.note(`VIOLATION ${message}`);
    this.violations.push(`${this.clock.monotonicMs().toFixed(0)} ms: ${message}`);
  }

  note(message: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(0).padStart(6)} ${message}`);
  }

  count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  kill(instance: LeadershipInstance): void {
    instance.kill();
    if (this.random.chance(0.5)) this.#bury(instance);
  }

  async faultsUntil(endMs: number): Promise<void> {
    while (this.clock.monotonicMs() < endMs) {
      await this.clock.sleep(100 + this.random.fraction() * 1200);
      this.#fault();
    }
    this.#faultsOver = true;
  }

  async heal(): Promise<void> {
    this.network.healCuts();
    for (const instance of this.instances.values()) {
      if (instance.alive) instance.options.clock.continue();
      for (const client of instance.clients) {
        Object.assign(client.faults, { reach: 'ok', delayMs: 2, loseReply: 0, loseRequest: 0 });
      }
    }
    const dead = [...this.instances.values()].filter(({ alive }) => !alive);
    await Promise.all(dead.map(({ options }) => this.start(options.uuid)));
  }

  #writable(instance: LeadershipInstance): { readonly term: number } | undefined {
    const leadership = instance.leadership();
    if (leadership !== undefined || this.#bug !== 'deadline-from-answer') return leadership;
    const { clock, uuid } = instance.options;
    if (!instance.alive || clock.isStopped) return undefined;
    const current = instance.failover.current();
    const deadlineMs = (this.answeredMs.get(uuid) ?? -1e9) + TTL_SECONDS * 1000;
    return current.kind === 'leader' && clock.monotonicMs() < deadlineMs ? current : undefined;
  }

  #checkLeader(instance: LeadershipInstance, term: number): void {
    const { uuid, log } = instance.options;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== uuid) this.violate(`term ${term} has two leaders`);
    this.#leaders.set(term, uuid);
    const key = `${uuid} ${term}`;
    if (key === this.#lastLeader) return;
    this.#lastLeader = key;
    this.count('leaderships');
    this.note(`${uuid.slice(-1)} leads term ${term}`);
    const ids = new Set(log.entries.map(({ id }) => id));
    const lost = [...this.acknowledged.keys()].filter((id) => !ids.has(id));
    if (lost.length > 0) this.violate(`term ${term} lacks ${lost.length} acknowledged writes`);
  }

  #fault(): void {
    const instance = this.random.pick([...this.instances.values()]);
    if (!instance.alive) return;
    const forMs = 200 + this.random.fraction() * 4800;
    const name = instance.options.uuid.slice(-1);
    const faults: readonly (readonly [string, () => void])[] = [
      ['stop', () => this.#stop(instance, forMs)],
      ['slow provider', () => this.#provider(instance, { delayMs: 600 }, forMs)],
      ['lost replies', () => this.#provider(instance, { loseReply: 0.4, delayMs: 100 }, forMs)],
      ['provider away', () => this.#provider(instance, { reach: 'silent' }, forMs)],
      ['provider refuses', () => this.#provider(instance, { reach: 'refused' }, forMs)],
      ['cut', () => this.#cut(instance, forMs)],
      ['leader isolated', () => this.#isolateLeader()],
      ['leader isolated', () => this.#isolateLeader()],
      ['kill', () => this.#killFor(instance, forMs)],
      ['handover', () => this.#handover(instance)],
      ['watches lost', () => instance.clients.forEach((client) => client.breakWatches())],
      ['lease record lost', () => this.#loseLease()],
      ['provider forgets', () => this.random.chance(0.3) && this.store.forget()],
    ];
    // A planted bug needs its own trouble; in the mixture it would take many seeds.
    const apt = faults.filter(([what]) => this.#bug === undefined || what === 'leader isolated');
    const [what, happen] = this.random.pick(apt);
    this.note(`${what}: ${name} for ${forMs.toFixed(0)}`);
    this.count(what);
    happen();
  }

  #after(delayMs: number, happen: () => void): void {
    this.clock.sleep(delayMs).then(
      () => {
        if (!this.#faultsOver) happen();
      },
      () => undefined,
    );
  }

  #stop({ options: { clock } }: LeadershipInstance, forMs: number): void {
    clock.stop();
    this.#after(forMs, () => clock.continue());
  }

  #provider(
    { clients }: LeadershipInstance,
    faults: Partial<SimulatedFaults>,
    forMs: number,
  ): void {
    for (const client of clients) Object.assign(client.faults, faults);
    this.#after(forMs, () => {
      for (const client of clients) {
        Object.assign(client.faults, { reach: 'ok', delayMs: 2, loseReply: 0 });
      }
    });
  }

  #cut({ options: { uuid } }: LeadershipInstance, forMs: number): void {
    for (const other of UUIDS) if (other !== uuid) this.network.cut(uuid, other);
    this.#after(forMs, () => this.network.healCuts());
  }

  /**
   * Cut off from its peers, the leader's renewals are applied and their replies lost; then it learns what was applied,
   * late; then the provider is away too, and perhaps its lease record is lost. It believes to lead all the time.
   */
  #isolateLeader(): void {
    const leader = [...this.instances.values()].find((instance) => instance.leadership());
    if (leader === undefined || this.#isolated) return;
    this.#isolated = true;
    const lateMs = 500 + this.random.fraction() * 1000;
    const awayMs = lateMs + 200 + this.random.fraction() * 450;
    const losesLease = this.random.chance(0.5);
    this.#cut(leader, awayMs + 4000);
    this.#provider(leader, { loseReply: 1 }, lateMs);
    this.#after(awayMs, () => {
      this.#provider(leader, { reach: 'silent' }, 4000);
      if (losesLease) this.#loseLease();
    });
    this.#after(awayMs + 4000, () => {
      this.#isolated = false;
    });
  }

  #killFor(instance: LeadershipInstance, forMs: number): void {
    this.kill(instance);
    const { uuid } = instance.options;
    this.#after(forMs, () => {
      this.start(uuid).catch((error: unknown) => this.violate(String(error)));
    });
  }

  /** The launcher's part: the process is dead, its lease is released. */
  #bury(instance: LeadershipInstance): void {
    this.#after(5 + this.random.fraction() * 100, () => {
      const entry = this.store.get(providerKeys.lease(SET));
      if (entry === undefined) return;
      const lease = leaseSchema.parse(JSON.parse(entry.value));
      const { uuid, incarnation } = instance.options;
      if (lease.holder !== uuid || lease.incarnation !== incarnation) return;
      this.count('tombstones');
      const value = JSON.stringify({ ...lease, released: true });
      this.store.transact({ compare: [], writes: [{ kind: 'put', key: entry.key, value }] });
    });
  }

  #handover(instance: LeadershipInstance): void {
    instance.failover.handover(undefined, 'asked for').then(
      () => this.count('handed over'),
      () => undefined,
    );
  }

  #loseLease(): void {
    const key = providerKeys.lease(SET);
    this.store.transact({ compare: [], writes: [{ kind: 'delete', key }] });
  }

  #wrap(provider: StateProvider, kind: 'failover' | 'coordinator', uuid: string): StateProvider {
    if (this.#bug === 'deadline-from-answer' && kind === 'failover') {
      return this.#counting(provider, uuid);
    }
    if (this.#bug === 'absent-is-expired' && kind === 'coordinator')
      return absentIsExpired(provider, [SET]);
    return provider;
  }

  /** Remembers when the lease was last answered for, as a holder with the bug would. */
  #counting(provider: StateProvider, uuid: string): StateProvider {
    const answered = (): void => {
      const instance = this.instances.get(uuid);
      if (instance !== undefined) {
        this.answeredMs.set(uuid, instance.options.clock.monotonicMs());
      }
    };
    return {
      ...bound(provider),
      get: async (key, options) => {
        const entry = await provider.get(key, options);
        if (entry?.value.includes(uuid) === true) answered();
        return entry;
      },
      transact: async (transaction, options) => {
        const outcome = await provider.transact(transaction, options);
        if (outcome.kind === 'applied') answered();
        return outcome;
      },
    };
  }
}

interface SimulatedFaults {
  readonly reach: 'ok' | 'refused' | 'silent';
  readonly delayMs: number;
  readonly loseReply: number;
}

/** The simulated network knows instances by their UUID. */
function withAddresses(plain: Topology): Topology {
  const servers = Object.entries(plain.servers).map(([uuid, server]) => [
    uuid,
    server === 'expelled' ? server : { ...server, http_uri: uuid },
  ]);
  return { ...plain, servers: Object.fromEntries(servers) as Topology['servers'] };
}

export function leadershipScenario(bug?: LeadershipBug): Scenario {
  return {
    name: 'leadership',
    run: (seed) => run(seed, bug),
  };
}

async function run(seed: number, bug: LeadershipBug | undefined): Promise<ScenarioRun> {
  const world = new World(seed, bug);
  const { clock, violations, trace, counts } = world;
  const story = async (): Promise<void> => {
    await Promise.all(UUIDS.map((uuid) => world.start(uuid)));
    await world.faultsUntil(FAULTS_MS);
    await world.heal();
  };
  story().catch((error: unknown) => world.violate(String(error)));
  let lastCount = 0;
  while (clock.monotonicMs() < FAULTS_MS + RECOVERY_MS && violations.length === 0) {
    if (!(await clock.next())) break;
    world.check();
    if (clock.monotonicMs() < FAULTS_MS + RECOVERY_MS - 2000) lastCount = world.acknowledged.size;
  }
  if (violations.length === 0 && world.acknowledged.size === lastCount) {
    world.violate('no write was acknowledged after all faults had ended');
  }
  return { violations, trace, counts };
}
