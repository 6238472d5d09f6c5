/**
 * A replica set of three under faults, from a seed: what was acknowledged must never be missing.
 *
 * First faults of all kinds while clients write, then calm, in which the three must become one again.
 */
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import type { RequiredSeats } from '../../runtime/src/core/replication/leader-progress.ts';
import type { SpaceEngine } from '../../runtime/src/core/schema/space-definition.ts';
import type { StorageLimits } from '../../runtime/src/services/storage-limits.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { type Exchange, SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import type { Acknowledgements } from './replication-acks.ts';
import type { ReplicationBug } from './replication-bugs.ts';
import { ReplicationChecker } from './replication-checker.ts';
import { ReplicationClients } from './replication-clients.ts';
import { ReplicationFaults } from './replication-faults.ts';
import { SimulatedInstance } from './replication-instance.ts';
import { coordinate, LeadershipStore } from './replication-leadership.ts';
import { StreamWatch } from './replication-stream.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

export interface RunOptions {
  /** A rule for acknowledgement instead of the real one: a planted bug. */
  readonly required?: RequiredSeats;
  readonly bug?: ReplicationBug;
  /** With local rows, and in most runs synchronous ones and an instance that is lost for good. */
  readonly acks?: boolean;
  /** Of the spaces that are written to. Default memory. */
  readonly engine?: SpaceEngine;
}

const FAULTS_MS = 8_000;
const CALM_MS = 6_000;
const END_MS = FAULTS_MS + CALM_MS;
const CLIENTS = 3;

/** What happened, by what instances say of it. */
const TOLD: Readonly<Record<string, string>> = {
  'a snapshot was taken': 'snapshots',
  'the data is exchanged for a snapshot of the leader': 'joins',
  'the log was trimmed': 'trims',
  'rows of a deposed leader were cut': 'cuts',
  'a snapshot is damaged; the one before it is used': 'damaged',
};

export function replicationScenario(options: RunOptions = {}): Scenario {
  const ofDisk = options.engine === 'disk' ? 'replication-disk' : 'replication';
  const name = options.acks === true ? 'replication-acks' : ofDisk;
  return { name, run: (seed) => new ReplicationRun(seed, options).run() };
}

class ReplicationRun {
  readonly #clock = new SimulatedClock({ isAlone: true });
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #stream: StreamWatch;
  readonly #store: LeadershipStore;
  readonly #instances: readonly SimulatedInstance[];
  readonly #replicaSetUuid: string;
  readonly #checker: ReplicationChecker;
  readonly #faults: ReplicationFaults;
  readonly #clients: ReplicationClients;
  readonly #trace: string[] = [];
  readonly #told: Record<string, number> = {};
  readonly #acks: Acknowledgements | undefined;

  constructor(seed: number, { required, bug, acks, engine = 'memory' }: RunOptions) {
    const clock = this.#clock;
    const random = new SeededRandom(seed);
    this.#random = random;
    const violate = (text: string): void => void this.#checker.violations.push(text);
    const instances = (): readonly SimulatedInstance[] => this.#instances;
    this.#stream = new StreamWatch({
      seed,
      violate,
      diskOf: (uuid) => this.#instances.find((instance) => instance.uuid === uuid)?.disk,
    });
    const onAnswer = (exchange: Exchange): void => this.#stream.answered(exchange);
    this.#network = new SimulatedNetwork({ clock, random, onAnswer });
    this.#store = new LeadershipStore(clock, random, ({ term, leader, inSync }) =>
      this.#note(`term ${term}, leader ${leader}, in-sync ${inSync.map(nameOf).join(' ')}`),
    );
    this.#replicaSetUuid = uuidOf(0);
    if (acks === true) this.#acks = { isSync: random.chance(0.7) };
    const [network, store] = [this.#network, this.#store];
    const checker = new ReplicationChecker({ clock, store, instances });
    this.#checker = checker;
    this.#faults = new ReplicationFaults({
      ...{ clock, random, network, store, instances, violate },
      losesOne: this.#acks?.isSync === true,
      note: (text) => this.#note(text),
    });
    this.#clients = new ReplicationClients({
      ...{ clock, random, instances, checker, engine },
      acks: this.#acks,
    });
    const world = {
      clock,
      random,
      network: this.#network,
      stream: this.#stream,
      store: this.#store,
      replicaSetUuid: this.#replicaSetUuid,
      // Without a sync the log is not durable at all in mode fsync: that is another bug.
      logMode:
        random.chance(0.5) || bug === 'snapshot-before-its-end' || bug === 'term-continued'
          ? ('write' as const)
          : ('fsync' as const),
      limits: limitsFrom(random),
      ...{ required, bug },
      instances: [1, 2, 3].map(uuidOf),
      onEnd: (instance: SimulatedInstance, error: unknown) => this.#faults.onEnd(instance, error),
      onLog: (message: string) => {
        const name = TOLD[message];
        if (name === undefined) return;
        this.#note(message);
        this.#told[name] = (this.#told[name] ?? 0) + 1;
      },
      onWritable: (instance: SimulatedInstance, isWritable: boolean) => {
        this.#note(
          `${instance.uuid} is ${isWritable ? '' : 'not '}writable at ${instance.storage?.position.sequence}`,
        );
        if (isWritable) checker.newLeader(instance);
      },
      onViolation: violate,
    };
    this.#instances = [1, 2, 3].map((number) => new SimulatedInstance(uuidOf(number), world));
  }

  async run(): Promise<ScenarioRun> {
    const ended = new AbortController();
    const end = (): void => ended.abort();
    this.#story().then(end, (error: unknown) => {
      this.#checker.violations.push(`the run broke: ${String(error)}`);
      end();
    });
    while (!ended.signal.aborted) {
      if (!(await this.#clock.next())) break;
    }
    if (!ended.signal.aborted) this.#checker.violations.push('everything stands still');
    const counts = {
      acknowledged: this.#checker.acknowledged.size,
      unknown: this.#clients.unknown,
      refused: this.#checker.refused.size,
      terms: this.#store.record?.term ?? 0,
      cutRows: this.#checker.cutRows,
      local: this.#checker.local.count,
      lost: this.#checker.lost,
      late: this.#stream.late,
      ...(this.#faults.ended > 0 ? { ended: this.#faults.ended } : {}),
      ...this.#told,
    };
    return { violations: this.#checker.violations, trace: this.#trace, counts };
  }

  async #story(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.start()));
    const uuids = this.#instances.map(({ uuid }) => uuid);
    const seats = this.#instances.map(({ seat }) => seat);
    const [first] = uuids;
    if (first === undefined) throw new Error('there are three');
    this.#store.appoint({ term: 1, leader: first, inSync: seats, version: 1 });
    const background = [
      coordinate({
        store: this.#store,
        peers: this.#network.peersFor('coordinator'),
        clock: this.#clock,
        random: this.#random,
        replicaSetUuid: this.#replicaSetUuid,
        uuids: () =>
          this.#instances.filter(({ isDestroyed }) => !isDestroyed).map(({ uuid }) => uuid),
      }),
      ...Array.from({ length: CLIENTS }, () => this.#clients.write(END_MS)),
      this.#checker.watchInSync(END_MS),
    ];
    for (const task of background) {
      task.catch((error: unknown) =>
        this.#checker.violations.push(`a client broke: ${String(error)}`),
      );
    }
    if (this.#acks?.isSync === true) {
      void this.#clock
        .sleep(FAULTS_MS * this.#random.fraction())
        .then(() => this.#faults.destroy());
    }
    await this.#faults.disturb(FAULTS_MS);
    await this.#faults.calm(CALM_MS);
    await this.#checker.end();
  }

  #note(text: string): void {
    this.#trace.push(`${this.#clock.monotonicMs().toFixed(0)} ms: ${text}`);
  }
}

function nameOf({ uuid, incarnation }: Seat): string {
  return `${uuid.at(-1)}/${incarnation}`;
}

function uuidOf(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`;
}

/** Small, so that a run crosses many segments, joins, and answers from files as well as from memory. */
function limitsFrom(random: SeededRandom): Partial<StorageLimits> {
  return {
    segmentBytes: 2000,
    recentBytes: 1000,
    pullBytes: 500,
    snapshotIntervalMs: random.pick([0, 1500]),
    snapshotLogBytes: random.pick([1500, 6000, 1e9]),
    snapshotCheckMs: 100,
    snapshotSliceMs: 0,
    snapshotPauseMs: 20,
    snapshotBlockBytes: random.pick([50, 400]),
    joinLogBytes: random.pick([0, 3000, 1e9]),
    laggardLogBytes: random.pick([0, 4000, 1e9]),
  };
}
