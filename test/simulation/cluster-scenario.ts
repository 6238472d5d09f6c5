/**
 * Whole clusters under faults: leadership, coordination, storage and replication together, from a seed.
 *
 * At every moment at most one instance of a set is writable; what was acknowledged, or read from a leader, is never
 * lost; logs never differ where they share a term. When all faults end, each set is writable and whole again in time.
 */
import { type Topology, topologySchema } from '../../runtime/src/contract/cluster-config.ts';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { Reader, Transaction } from '../../runtime/src/core/storage/engine.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { ClusterBug, FocusedBug } from './cluster-bugs.ts';
import { ReplicaSetChecker } from './cluster-checker.ts';
import { ClusterFaults } from './cluster-faults.ts';
import { promisedOn } from './cluster-logs.ts';
import { type ClusterWorld, Machine } from './cluster-machine.ts';
import { RecordChecker } from './cluster-records.ts';
import { RaftChecker } from './raft-checker.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

const TTL_SECONDS = 1;
const FAULTS_MS = 6_000;
/** A lock and a lease that nobody released, elections after them, and followers that ask again. */
const RECOVERY_MS = 15_000;
const POLL_MS = 100;
const WRITE_TIMEOUT_MS = 3000;

export interface ClusterOptions {
  readonly bug?: ClusterBug | FocusedBug;
  /** Faults of these kinds alone, and the name of the scenario then. */
  readonly focus?: ClusterFocus;
}

export interface ClusterFocus {
  readonly name: string;
  readonly faults: readonly string[];
  /** Of lock and lease; left out: `TTL_SECONDS`. */
  readonly ttlSeconds?: number;
  /** Leaders are elected, and there is no state provider. */
  readonly isRaft?: boolean;
}

/** What needs several faults of few kinds close together. */
export const clusterFocuses: readonly ClusterFocus[] = [
  {
    name: 'cluster-forgets',
    faults: ['provider forgets', 'provider counts again', 'provider slow', 'reboot'],
  },
  { name: 'cluster-absence', faults: ['lease lost', 'isolate', 'cut from provider', 'pod lost'] },
  // So short that a suspension too short to be taken for one is as long as the lease.
  { name: 'cluster-suspend', faults: ['suspend', 'suspended away'], ttlSeconds: 0.2 },
  { name: 'cluster-seats', faults: ['reboot', 'kill', 'cut from peers', 'handover'] },
];

const RAFT_FAULTS = [
  'kill',
  'stop',
  'pause',
  'suspend',
  'cut one link',
  'cut from peers',
  'handover',
];

/** Without a state provider: the instances elect their leaders. */
export const raftFocuses: readonly ClusterFocus[] = [
  { name: 'raft', faults: [...RAFT_FAULTS, 'reboot', 'all killed'], isRaft: true },
  { name: 'raft-cuts', faults: ['cut from peers'], isRaft: true },
  { name: 'raft-calm', faults: ['kill', 'cut from peers', 'handover'], isRaft: true },
  {
    name: 'raft-reboots',
    faults: ['reboot', 'all reboot', 'kill', 'cut from peers'],
    isRaft: true,
  },
  { name: 'raft-suspend', faults: ['suspend', 'suspended away'], ttlSeconds: 0.4, isRaft: true },
];

export function clusterScenario(options: ClusterOptions = {}): Scenario {
  return {
    name: options.focus?.name ?? 'cluster',
    run: (seed) => new ClusterRun(seed, options).run(),
  };
}

class ClusterRun {
  readonly #options: ClusterOptions;
  readonly #clock = new SimulatedClock();
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #store = new SimulatedStore();
  readonly #machines: readonly Machine[];
  readonly #checkers: readonly ReplicaSetChecker[];
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #ended = new AbortController();
  #ids = 0;

  constructor(seed: number, options: ClusterOptions) {
    const random = new SeededRandom(seed);
    this.#options = options;
    this.#random = random;
    this.#network = new SimulatedNetwork({
      ...{ clock: this.#clock, random },
      onAnswer: (exchange) => {
        for (const checker of this.#checkers) checker.exchanged(exchange);
      },
    });
    const isRaft = options.focus?.isRaft === true;
    const sizes = random.pick(isRaft ? [[3], [3], [5]] : [[2], [3], [3], [2, 2], [3, 2]]);
    const topology = topologyOf(sizes, options.focus?.ttlSeconds ?? TTL_SECONDS, isRaft);
    const world: ClusterWorld = {
      ...{ clock: this.#clock, random, network: this.#network, store: this.#store, topology },
      bug: options.bug,
      logMode: random.chance(0.6) ? 'write' : 'fsync',
      seatsOf: (uuid) => this.#machinesOf(uuid).map(({ seat }) => seat),
      onWritable: (machine, isWritable) => {
        if (isWritable && machine.isRunning) this.#checkerOf(machine)?.leads(machine);
      },
      onFatal: (machine, error) => {
        this.#violate(`a service of ${machine.uuid.slice(-2)} failed: ${String(error)}`);
      },
    };
    this.#machines = sizes.flatMap((size, set) =>
      Array.from({ length: size }, (_, index) => {
        return new Machine(instanceUuid(set, index), setUuid(set), world);
      }),
    );
    this.#checkers = sizes.map((_, set) => {
      const Checker = isRaft ? RaftChecker : ReplicaSetChecker;
      return new Checker({
        ...{ replicaSetUuid: setUuid(set), machines: this.#machinesOf(setUuid(set)) },
        violate: (message) => this.#violate(message),
        note: (message) => this.#note(message),
        count: (what, times) => this.#count(what, times),
      });
    });
  }

  async run(): Promise<ScenarioRun> {
    const records = new RecordChecker(this.#store, (message) => this.#violate(message));
    this.#store.subscribe(() => {
      records.changed();
      const { entries } = this.#store.list('leaders/');
      const values = new Map(entries.map(({ key, value }) => [key, value]));
      for (const checker of this.#checkers) checker.stored(values);
    });
    this.#story().then(
      () => this.#ended.abort(),
      (error: unknown) => this.#violate(`the run broke: ${String(error)}`),
    );
    while (!this.#ended.signal.aborted) {
      if (!(await this.#clock.next())) this.#violate('everything stands still');
      for (const checker of this.#checkers) checker.moment();
    }
    // Copies: what was under way at the end may still be answered.
    return {
      violations: [...this.#violations],
      trace: [...this.#trace],
      counts: { ...this.#counts },
    };
  }

  async #story(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.start()));
    for (const checker of this.#checkers) {
      for (const client of [this.#writer(checker), this.#writer(checker), this.#reader(checker)]) {
        client.catch((error: unknown) => this.#violate(`a client broke: ${String(error)}`));
      }
    }
    const faults = new ClusterFaults({
      ...{ clock: this.#clock, random: this.#random, network: this.#network, store: this.#store },
      ...{ machines: this.#machines, bug: this.#options.bug },
      only: this.#options.focus?.faults,
      note: (message) => this.#note(message),
      count: (what) => this.#count(what),
      violate: (message) => this.#violate(message),
    });
    await faults.until(FAULTS_MS);
    await faults.heal();
    this.#note('all faults have ended');
    await Promise.all(this.#checkers.map((checker) => this.#becomeWhole(checker)));
    await this.#overtake();
    for (const checker of this.#checkers) checker.end();
  }

  /** A follower has promised higher terms, and only its leader can learn of it, not who appoints. */
  async #overtake(): Promise<void> {
    const active = this.#machines.find(({ process }) => process?.coordinator.active === true);
    // Not in the set itself: if it led, the cut would keep the follower away from its leader as well.
    const checker = this.#checkers.find(
      ({ replicaSetUuid }) => replicaSetUuid !== active?.replicaSetUuid,
    );
    const follower = checker?.machines.find(({ isWritable }) => !isWritable);
    if (active === undefined || checker === undefined || follower === undefined) return;
    this.#count('overtaken');
    this.#network.cut(active.uuid, follower.uuid);
    const term = promisedOn(follower.disk) + 1 + this.#random.integer(3);
    this.#note(`${follower.uuid.slice(-2)} promises term ${term}`);
    await this.#network
      .peersFor('rival')
      .call(
        follower.uuid,
        ...(['leadership.promise', { replicaSetUuid: checker.replicaSetUuid, term }] as const),
        { timeoutMs: 1000 },
      );
    await this.#becomeWhole(checker);
    this.#network.healCuts();
  }

  /** A write is acknowledged again, and then nothing is missing while nobody writes. */
  async #becomeWhole(checker: ReplicaSetChecker): Promise<void> {
    const endMs = this.#clock.monotonicMs() + RECOVERY_MS;
    const acknowledged = checker.acknowledged.size;
    let missing: string | undefined = 'no write was acknowledged';
    while (this.#clock.monotonicMs() < endMs) {
      await this.#clock.sleep(POLL_MS);
      if (checker.acknowledged.size === acknowledged) continue;
      missing = checker.whatIsMissing();
      if (missing === undefined) return;
    }
    this.#violate(`after ${RECOVERY_MS} ms without faults: ${missing}`);
  }

  async #writer(checker: ReplicaSetChecker): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#random.fraction() * 120);
      const machine = this.#pickTarget(checker);
      const process = machine.process;
      if (process === undefined) continue;
      const id = this.#ids++;
      const isRefused = this.#random.chance(0.05);
      const write = process.gate.pass().then(() =>
        process.storage.write((transaction) => addRow(transaction, id, isRefused), {
          timeoutMs: WRITE_TIMEOUT_MS,
        }),
      );
      const outcome = await this.#outcome(write.then(() => 'done', verdict));
      this.#count(outcome);
      if (outcome === 'done') checker.answered(id);
      else if (outcome === 'refused') checker.refused(id);
      else if (outcome !== 'unknown') this.#violate(`row ${id}: ${outcome}`);
    }
  }

  /** What a leader has shown counts as acknowledged, and it shows everything that was acknowledged before. */
  async #reader(checker: ReplicaSetChecker): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#random.fraction() * 400);
      const process = this.#pickTarget(checker).process;
      if (process === undefined) continue;
      const before = new Set(checker.acknowledged);
      let ids: readonly number[] = [];
      const read = process.gate.pass().then(async () => {
        ids = await process.storage.read(idsOf, { consistency: 'acknowledged', timeoutMs: 1000 });
      });
      const outcome = await this.#outcome(read.then(() => 'read', verdict));
      if (outcome !== 'read') continue;
      this.#count('reads');
      const shown = new Set(ids);
      // Rows may have been lost with all seats meanwhile: what counts is what is still acknowledged.
      const stale = [...before].filter((id) => !shown.has(id) && checker.acknowledged.has(id));
      if (stale.length > 0) this.#violate(`a read misses acknowledged rows ${String(stale[0])}`);
      for (const id of ids) checker.answered(id);
    }
  }

  /** The client's patience ends after that of the storage. */
  async #outcome(work: Promise<string>): Promise<string> {
    const ended = new AbortController();
    const silence = this.#clock.sleep(2 * WRITE_TIMEOUT_MS, ended.signal).then(
      () => 'unknown',
      // The answer came first: nobody looks at this any more.
      () => 'unknown',
    );
    const outcome = await Promise.race([work, silence]);
    ended.abort('the answer came first');
    return outcome;
  }

  #pickTarget({ machines }: ReplicaSetChecker): Machine {
    const writable = machines.filter(({ process }) => process?.storage.isWritable === true);
    const isBlind = writable.length === 0 || this.#random.chance(0.1);
    return this.#random.pick(isBlind ? machines : writable);
  }

  #machinesOf(uuid: string): readonly Machine[] {
    return this.#machines.filter(({ replicaSetUuid }) => replicaSetUuid === uuid);
  }

  #checkerOf({ replicaSetUuid }: Machine): ReplicaSetChecker | undefined {
    return this.#checkers.find((checker) => checker.replicaSetUuid === replicaSetUuid);
  }

  #violate(message: string): void {
    this.#note(`VIOLATION ${message}`);
    this.#violations.push(`${this.#clock.monotonicMs().toFixed(0)} ms: ${message}`);
    this.#ended.abort();
  }

  #note(message: string): void {
    this.#trace.push(`${this.#clock.monotonicMs().toFixed(0).padStart(6)} ${message}`);
  }

  #count(what: string, times = 1): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + times;
  }
}

/** The first set's instances coordinate. The network knows instances by their UUID. */
function topologyOf(sizes: readonly number[], ttlSeconds: number, isRaft: boolean): Topology {
  const servers = sizes.flatMap((size, set) =>
    Array.from({ length: size }, (_, index) => {
      const uuid = instanceUuid(set, index);
      return [
        uuid,
        { uri: 'host:1', http_uri: 'host:1', alias: uuid, replicaset_uuid: setUuid(set) },
      ] as const;
    }),
  );
  const replicasets = sizes.map((size, set) => [
    setUuid(set),
    {
      alias: `set-${set}`,
      roles: set === 0 ? ['failover-coordinator'] : [],
      failover_priority: Array.from({ length: size }, (_, index) => instanceUuid(set, index)),
    },
  ]);
  const topology = topologySchema.parse({
    servers: Object.fromEntries(servers) as unknown,
    replicasets: Object.fromEntries(replicasets) as unknown,
    failover: isRaft
      ? { mode: 'raft', failover_timeout: ttlSeconds }
      : {
          mode: 'stateful',
          fencing_ttl: ttlSeconds,
          state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/c/' },
        },
  });
  const reachable = Object.entries(topology.servers).map(([uuid, server]) => [
    uuid,
    server === 'expelled' ? server : { ...server, http_uri: uuid },
  ]);
  return { ...topology, servers: Object.fromEntries(reachable) as Topology['servers'] };
}

function instanceUuid(set: number, index: number): string {
  return `00000000-0000-4000-8000-0000000000${'ab'[set] ?? 'c'}${index + 1}`;
}

function setUuid(set: number): string {
  return `00000000-0000-4000-8000-000000000${'ab'[set] ?? 'c'}00`;
}

function addRow(transaction: Transaction, id: number, isRefused: boolean): void {
  const format = [{ name: 'id', type: 'unsigned' as const }];
  transaction.createSpace('rows', { format, ifNotExists: true });
  transaction.createIndex('rows', { name: 'primary', parts: ['id'], ifNotExists: true });
  transaction.insert('rows', [id]);
  if (isRefused) throw new ClusterError('REQUEST_INVALID');
}

function idsOf(reader: Reader): readonly number[] {
  if (reader.space('rows') === undefined) return [];
  return reader.select('rows', []).map((tuple) => Number(tuple[0]));
}

function verdict(error: unknown): string {
  if (!(error instanceof ClusterError)) return `failed with ${String(error)}`;
  if (error.code === 'NO_LEADER' || error.code === 'REQUEST_INVALID') return 'refused';
  return error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : `failed with ${error.code}`;
}
