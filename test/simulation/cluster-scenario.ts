/**
 * Whole clusters under faults: leadership, coordination, storage and replication together, from a seed.
 *
 * At every moment at most one instance of a set is writable; what was acknowledged, or read from a leader, is never
 * lost; logs never differ where they share a term. When all faults end, each set is writable and whole again in time.
 */
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { CALM_NETWORK, SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { ClusterBug } from './cluster-bugs.ts';
import { CoordinationChecker } from './cluster-coordination.ts';
import { ClusterFaults, planFaults, planNetwork } from './cluster-faults.ts';
import type { ClusterFocus } from './cluster-focuses.ts';
import { ForcedChecker } from './cluster-forced.ts';
import { promisedOn } from './cluster-logs.ts';
import { type ClusterWorld, Machine } from './cluster-machine.ts';
import { MovesChecker } from './cluster-moves.ts';
import { PeerLeaseChecker } from './cluster-peer-leases.ts';
import { RecordChecker } from './cluster-records.ts';
import { registerWorkload } from './cluster-registers.ts';
import { rowWorkloads } from './cluster-rows.ts';
import { type ClusterScript, readScript, stream, writeScript } from './cluster-script.ts';
import type { ClusterChecker, SimulatedSet, Workload } from './cluster-set.ts';
import { smallerClusters } from './cluster-smaller.ts';
import { instanceUuid, setUuid, topologyOf } from './cluster-topology.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

const FAULTS_MS = 6_000;
/** A lock and a lease that nobody released, elections after them, and followers that ask again. */
const RECOVERY_MS = 15_000;
const POLL_MS = 100;

/** What clients do in each set: another workload is another entry, and a number in `CLIENTS`. */
const workloadsOf = (set: SimulatedSet): Readonly<Record<string, Workload>> => ({
  ...rowWorkloads(set),
  registers: registerWorkload(set),
});
const CLIENTS = { writers: 2, readers: 1, registers: 3 };

/** What watches each set besides what its workloads bring: another checker is another entry. */
const checkersOf = (set: SimulatedSet): readonly ClusterChecker[] => [
  new CoordinationChecker(set),
  ...(set.isRaft ? [] : [new PeerLeaseChecker(set), new MovesChecker(set), new ForcedChecker(set)]),
];

export interface ClusterOptions {
  readonly bug?: ClusterBug;
  /** Faults of these kinds alone, and the name of the scenario then. */
  readonly focus?: ClusterFocus;
}

export function clusterScenario(options: ClusterOptions = {}): Scenario {
  return {
    name: options.focus?.name ?? 'cluster',
    run: (seed, script) => {
      const played = script === undefined ? planCluster(seed, options) : readScript(script);
      return new ClusterRun(seed, played, options).run();
    },
    smaller: smallerClusters,
  };
}

function planCluster(seed: number, { focus }: ClusterOptions): ClusterScript {
  const random = stream(seed, 'set-up');
  const isRaft = focus?.isRaft === true;
  const drawn = random.pick(isRaft ? [[3], [3], [5]] : [[2], [3], [3], [2, 2], [3, 2]]);
  const sets = focus?.sets ?? drawn;
  const faultsMs = focus?.faultsMs ?? FAULTS_MS;
  const machines = sets.flatMap((size, set) =>
    Array.from({ length: size }, (_, index) => instanceUuid(set, index).slice(-2)),
  );
  return {
    ...{ sets, clients: CLIENTS, faultsMs },
    log: random.chance(0.6) ? 'write' : 'fsync',
    spaces: random.chance(0.7) ? 'sync' : 'plain',
    network: focus?.isCalm === true ? CALM_NETWORK : planNetwork(stream(seed, 'network faults')),
    events: planFaults(stream(seed, 'faults'), machines, { forMs: faultsMs, focus }),
  };
}

interface RunningSet extends SimulatedSet {
  readonly workloads: Readonly<Record<string, Workload>>;
  readonly checkers: readonly ClusterChecker[];
  /** Those whose clients must be answered again after the faults: there are some. */
  readonly answering: readonly ClusterChecker[];
}

class ClusterRun {
  readonly #seed: number;
  readonly #script: ClusterScript;
  readonly #clock = new SimulatedClock({ isAlone: true });
  readonly #network: SimulatedNetwork;
  readonly #store = new SimulatedStore();
  readonly #machines: readonly Machine[];
  readonly #sets: readonly RunningSet[];
  readonly #faults: ClusterFaults;
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #ended = new AbortController();

  constructor(seed: number, script: ClusterScript, options: ClusterOptions) {
    this.#seed = seed;
    this.#script = script;
    const clock = this.#clock;
    this.#network = new SimulatedNetwork({
      ...{ clock, random: stream(seed, 'network') },
      onAnswer: (exchange) => this.#tell((checker) => checker.exchanged?.(exchange)),
    });
    const world = this.#world(options);
    this.#machines = script.sets.flatMap((size, set) =>
      Array.from({ length: size }, (_, index) => {
        return new Machine(instanceUuid(set, index), setUuid(set), world);
      }),
    );
    const isRaft = options.focus?.isRaft === true;
    this.#sets = script.sets.map((_, set) => this.#setOf(setUuid(set), isRaft));
    this.#faults = new ClusterFaults({
      ...{ clock, network: this.#network, store: this.#store, machines: this.#machines },
      ...this.#telling(),
    });
  }

  async run(): Promise<ScenarioRun> {
    const records = new RecordChecker(this.#store, (message) => this.#violate(message));
    this.#store.subscribe(() => {
      records.changed();
      const { entries } = this.#store.list('leaders/');
      const values = new Map(entries.map(({ key, value }) => [key, value]));
      this.#tell((checker) => checker.stored?.(values));
    });
    this.#story().then(
      () => this.#ended.abort(),
      (error: unknown) => this.#violate(`the run broke: ${String(error)}`),
    );
    while (!this.#ended.signal.aborted) {
      if (!(await this.#clock.next())) this.#violate('everything stands still');
      for (const set of this.#sets) look(set);
    }
    // Copies: what was under way at the end may still be answered.
    return {
      violations: [...this.#violations],
      trace: [...this.#trace],
      counts: { ...this.#counts },
      // As it was met: leaders by their names, and nothing that would have come after a failure.
      script: writeScript({ ...this.#script, events: [...this.#faults.played] }),
    };
  }

  #world({ bug, focus }: ClusterOptions): ClusterWorld {
    const { sets, log } = this.#script;
    return {
      ...{ clock: this.#clock, network: this.#network, store: this.#store },
      randomOf: (name) => this.#stream(`machine ${name}`),
      topology: topologyOf(sets, focus),
      ...{ bug, logMode: log, hasThreads: focus?.hasThreads === true },
      seatsOf: (uuid) => this.#machinesOf(uuid).map(({ seat }) => seat),
      onTransaction: (...transacted) =>
        this.#tell((checker) => checker.transacted?.(...transacted)),
      onWritable: (machine, isWritable) => {
        if (!isWritable || !machine.isRunning) return;
        const set = this.#sets.find(({ machines }) => machines.includes(machine));
        for (const checker of set?.checkers ?? []) checker.leads?.(machine);
      },
      onFatal: (machine, error) =>
        this.#violate(`a service of ${machine.name} failed: ${String(error)}`),
    };
  }

  #telling(): Pick<SimulatedSet, 'violate' | 'note' | 'count'> {
    return {
      violate: (message) => this.#violate(message),
      note: (message) => this.#note(message),
      count: (what, times) => this.#count(what, times),
    };
  }

  #setOf(replicaSetUuid: string, isRaft: boolean): RunningSet {
    const set: SimulatedSet = {
      ...{
        isRaft,
        replicaSetUuid,
        machines: this.#machinesOf(replicaSetUuid),
        script: this.#script,
      },
      ...{ clock: this.#clock, store: this.#store, ...this.#telling() },
      allSeatsLost: () => {
        for (const checker of checkers) checker.allSeatsLost?.();
      },
    };
    const workloads = workloadsOf(set);
    const checkers: readonly ClusterChecker[] = [
      ...Object.values(workloads).flatMap(({ checker }) => checker ?? []),
      ...checkersOf(set),
    ];
    const answering = Object.entries(workloads).flatMap(([kind, { checker }]) =>
      (this.#script.clients[kind] ?? 0) > 0 ? (checker ?? []) : [],
    );
    return { ...set, workloads, checkers, answering };
  }

  #tell(what: (checker: ClusterChecker) => void): void {
    for (const { checkers } of this.#sets) for (const checker of checkers) what(checker);
  }

  async #story(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.start()));
    for (const set of this.#sets) this.#startClients(set);
    const { events, network, faultsMs } = this.#script;
    await this.#faults.play(events, network, faultsMs);
    await this.#faults.heal();
    this.#note('all faults have ended');
    await Promise.all(this.#sets.map((set) => this.#becomeWhole(set)));
    await this.#overtake();
    this.#tell((checker) => checker.end?.());
  }

  #startClients({ replicaSetUuid, workloads }: RunningSet): void {
    for (const [kind, workload] of Object.entries(workloads)) {
      const count = this.#script.clients[kind] ?? 0;
      for (let index = 1; index <= count; index++) {
        const name = `${kind}-${index}`;
        workload
          .client(name, this.#stream(`${replicaSetUuid} ${name}`))
          .catch((error: unknown) => this.#violate(`${name} broke: ${String(error)}`));
      }
    }
  }

  /** A follower has promised higher terms, and only its leader can learn of it, not who appoints. */
  async #overtake(): Promise<void> {
    const active = this.#machines.find(({ process }) => process?.coordinator.active === true);
    // Not in the set itself: if it led, the cut would keep the follower away from its leader as well.
    const set = this.#sets.find(({ replicaSetUuid }) => replicaSetUuid !== active?.replicaSetUuid);
    const follower = set?.machines.find(({ isWritable }) => !isWritable);
    if (active === undefined || set === undefined || follower === undefined) return;
    this.#count('overtaken');
    this.#network.cut(active.uuid, follower.uuid);
    const term = promisedOn(follower.disk) + 1 + this.#stream('overtake').integer(3);
    this.#note(`${follower.name} promises term ${term}`);
    const body = { replicaSetUuid: set.replicaSetUuid, term };
    const rival = this.#network.peersFor('rival');
    const ask = (): Promise<boolean> =>
      rival.call(follower.uuid, 'leadership.promise', body, { timeoutMs: 1000 }).then(
        () => true,
        () => false,
      );
    // A peer lease of the last moments may forbid it for a while.
    while (!(await ask())) await this.#clock.sleep(POLL_MS);
    await this.#becomeWhole(set);
    this.#network.healCuts();
  }

  /** Everybody is answered again, and then nothing is missing while nobody writes. */
  async #becomeWhole({ checkers, answering }: RunningSet): Promise<void> {
    const endMs = this.#clock.monotonicMs() + RECOVERY_MS;
    const before = answering.map((checker) => checker.progress?.());
    let missing: string | undefined = 'nothing was acknowledged';
    while (this.#clock.monotonicMs() < endMs) {
      await this.#clock.sleep(POLL_MS);
      const isStill = answering.some(
        (checker, index) => before[index] !== undefined && checker.progress?.() === before[index],
      );
      if (isStill) continue;
      missing = checkers.map((checker) => checker.whatIsMissing?.()).find((one) => one);
      if (missing === undefined) return;
    }
    this.#violate(`after ${RECOVERY_MS} ms without faults: ${missing}`);
  }

  #machinesOf(uuid: string): readonly Machine[] {
    return this.#machines.filter(({ replicaSetUuid }) => replicaSetUuid === uuid);
  }

  #stream(purpose: string): SeededRandom {
    return stream(this.#seed, purpose);
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

function look({ machines, checkers }: RunningSet): void {
  const writable = machines.filter(({ isWritable }) => isWritable);
  for (const checker of checkers) checker.moment?.(writable);
}
