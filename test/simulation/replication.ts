/**
 * A replica set of three under faults, from a seed: what was acknowledged must never be missing.
 *
 * First faults of all kinds while clients write, then calm, in which the three must become one again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import {
  type RequiredSeats,
  sameSeat,
} from '../../runtime/src/core/replication/leader-progress.ts';
import type { SpaceEngine } from '../../runtime/src/core/schema/space-definition.ts';
import { validBatches } from '../../runtime/src/core/storage/log-format.ts';
import { type Row, RowCodec } from '../../runtime/src/core/storage/rows.ts';
import type { StorageLimits } from '../../runtime/src/services/storage-limits.ts';
import type { StorageService } from '../../runtime/src/services/storage-service.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import {
  CALM_NETWORK,
  type Exchange,
  SimulatedNetwork,
} from '../../runtime/src/testing/simulated-peers.ts';
import { type Acknowledgements, LocalRows } from './replication-acks.ts';
import type { ReplicationBug } from './replication-bugs.ts';
import { SimulatedInstance } from './replication-instance.ts';
import { coordinate, LeadershipStore } from './replication-leadership.ts';
import { addLocalRow, addRow, contentOf, LOCAL_ID, ROWS_ID } from './replication-rows.ts';
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

type StoredLog = readonly { term: number; firstSequence: number; payload: Uint8Array }[];

const FAULTS_MS = 8_000;
const CALM_MS = 6_000;
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
  readonly #clock = new SimulatedClock();
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #stream: StreamWatch;
  readonly #store: LeadershipStore;
  readonly #instances: readonly SimulatedInstance[];
  readonly #replicaSetUuid: string;
  readonly #engine: SpaceEngine;
  readonly #acknowledged = new Set<number>();
  /** Writes that were certainly not done, by what the client was told. */
  readonly #refused = new Set<number>();
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #told: Record<string, number> = {};
  readonly #local = new LocalRows((text) => this.#violations.push(text));
  readonly #acks: Acknowledgements | undefined;
  #unknown = 0;
  #lost = 0;
  #nextId = 1;
  #isCalm = false;

  constructor(seed: number, { required, bug, acks, engine = 'memory' }: RunOptions) {
    const clock = this.#clock;
    const random = new SeededRandom(seed);
    this.#engine = engine;
    this.#random = random;
    this.#stream = new StreamWatch({
      seed,
      violate: (text) => this.#violations.push(text),
      diskOf: (uuid) => this.#instances.find((instance) => instance.uuid === uuid)?.disk,
    });
    const onAnswer = (exchange: Exchange): void => this.#stream.answered(exchange);
    this.#network = new SimulatedNetwork({ clock, random, onAnswer });
    this.#store = new LeadershipStore(clock, random, ({ term, leader, inSync }) =>
      this.#note(`term ${term}, leader ${leader}, in-sync ${inSync.map(nameOf).join(' ')}`),
    );
    this.#replicaSetUuid = uuidOf(0);
    if (acks === true) this.#acks = { isSync: random.chance(0.7) };
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
      onEnd: (instance: SimulatedInstance, error: unknown) => this.#onEnd(instance, error),
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
        if (isWritable) this.#checkNewLeader(instance);
      },
      onViolation: (text: string) => this.#violations.push(text),
    };
    this.#instances = [1, 2, 3].map((number) => new SimulatedInstance(uuidOf(number), world));
  }

  async run(): Promise<ScenarioRun> {
    const ended = new AbortController();
    const end = (): void => ended.abort();
    this.#story().then(end, (error: unknown) => {
      this.#violations.push(`the run broke: ${String(error)}`);
      end();
    });
    while (!ended.signal.aborted) {
      if (!(await this.#clock.next())) break;
    }
    if (!ended.signal.aborted) this.#violations.push('everything stands still');
    const counts = {
      acknowledged: this.#acknowledged.size,
      unknown: this.#unknown,
      refused: this.#refused.size,
      terms: this.#store.record?.term ?? 0,
      cutRows: this.#cutIds(ROWS_ID).length,
      local: this.#local.count,
      lost: this.#lost,
      late: this.#stream.late,
      ...this.#told,
    };
    return { violations: this.#violations, trace: this.#trace, counts };
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
        uuids: () => this.#left().map(({ uuid }) => uuid),
      }),
      ...Array.from({ length: CLIENTS }, () => this.#client()),
      this.#watchInSync(),
    ];
    for (const task of background) {
      task.catch((error: unknown) => this.#violations.push(`a client broke: ${String(error)}`));
    }
    if (this.#acks?.isSync === true) {
      void this.#clock.sleep(FAULTS_MS * this.#random.fraction()).then(() => this.#destroy());
    }
    await this.#disturb();
    await this.#calm();
    await this.#checkEnd();
  }

  /** Each run draws its own mix: some are gentle on one axis and cruel on another. */
  async #disturb(): Promise<void> {
    const random = this.#random;
    const loss = (): number => random.fraction() * random.pick([0, 0.02, 0.2]);
    this.#network.faults = {
      latencyMinMs: 1,
      latencyMaxMs: random.pick([3, 30, 150]),
      lossBefore: loss(),
      lossAfter: loss(),
      duplicate: loss(),
    };
    this.#store.faults = { lossBefore: loss(), lossAfter: loss() };
    const everyMs = random.pick([300, 800, 2500]);
    const faults: readonly (readonly [string, (instance: SimulatedInstance) => void])[] = [
      ['kill', (instance) => this.#restart(instance, () => instance.kill())],
      ['reboot', (instance) => this.#restart(instance, () => this.#reboot(instance))],
      ['pause', (instance) => this.#pause(instance)],
      ['cut', (instance) => this.#cut(instance)],
      ['cut from the store', (instance) => this.#cutFromStore(instance)],
      ['isolate', (instance) => this.#isolate(instance)],
      ['leave in the dark', (instance) => this.#leaveInTheDark(instance)],
      ['reseed', (instance) => this.#reseed(instance)],
      ['fill the disk of', (instance) => this.#fill(instance)],
      ['fail the syncs of', (instance) => this.#failSyncs(instance)],
    ];
    const chosen = faults.filter(() => random.chance(0.6));
    while (this.#clock.monotonicMs() < FAULTS_MS) {
      await this.#clock.sleep(random.fraction() * 2 * everyMs);
      if (chosen.length === 0) continue;
      const [name, act] = random.pick(chosen);
      const instance = random.pick(this.#instances);
      this.#note(`${name} ${instance.uuid}`);
      act(instance);
    }
  }

  /** A process ends itself only for what was done to it. */
  #onEnd(instance: SimulatedInstance, error: unknown): void {
    const { faults } = instance.disk;
    const isAllowed =
      instance.disk.peek('reseed.json') !== undefined ||
      faults.failSyncs ||
      faults.capacity < Number.POSITIVE_INFINITY;
    if (!isAllowed)
      this.#violations.push(`the storage of ${instance.uuid} failed: ${String(error)}`);
    this.#note(`${instance.uuid} ends itself: ${String(error)}`);
    this.#told['ended'] = (this.#told['ended'] ?? 0) + 1;
    instance.kill();
    this.#later(1000, () => {
      this.#repair(instance);
      void this.#startAgain(instance);
    });
  }

  /** Those that are not lost for good. */
  #left(): readonly SimulatedInstance[] {
    return this.#instances.filter(({ isDestroyed }) => !isDestroyed);
  }

  /** A minority: one of three. */
  #destroy(): void {
    const instance = this.#oftenLeader();
    this.#note(`destroy ${instance.uuid}`);
    instance.destroy();
  }

  #oftenLeader(): SimulatedInstance {
    const leader = this.#instances.find(({ uuid }) => uuid === this.#store.record?.leader);
    const random = this.#random.pick(this.#instances);
    return this.#random.chance(0.5) ? (leader ?? random) : random;
  }

  #repair({ disk }: SimulatedInstance): void {
    disk.faults.capacity = Number.POSITIVE_INFINITY;
    disk.faults.failSyncs = false;
  }

  #reseed(instance: SimulatedInstance): void {
    // That it is refused, or ends the process, is right both times.
    instance.replication?.reseed({ force: false }).catch(() => undefined);
  }

  #fill(instance: SimulatedInstance): void {
    instance.disk.leaveRoom(this.#random.integer(600));
    this.#later(3000, () => this.#repair(instance));
  }

  #failSyncs(instance: SimulatedInstance): void {
    instance.disk.faults.failSyncs = true;
    this.#later(500, () => this.#repair(instance));
  }

  #restart(instance: SimulatedInstance, end: () => void): void {
    if (instance.storage === undefined) return;
    end();
    this.#later(2000, () => void this.#startAgain(instance));
  }

  async #startAgain(instance: SimulatedInstance): Promise<void> {
    try {
      if (isRunning(instance) || instance.isDestroyed) return;
      await instance.start();
      const { sequence, term } = instance.storage?.position ?? {};
      this.#note(`${instance.uuid} has started again at ${term}/${sequence}`);
    } catch (error) {
      if (isDiskFailure(error)) {
        this.#later(500, () => void this.#startAgain(instance));
        return;
      }
      this.#violations.push(`${instance.uuid} did not start: ${String(error)}`);
    }
  }

  /** Never of the last seat, nor beside a loss for good: with those gone, acknowledged rows may be gone as well. */
  #reboot(instance: SimulatedInstance): void {
    if (this.#hasOtherSeat(instance) && this.#acks?.isSync !== true) instance.reboot();
    else instance.kill();
  }

  #hasOtherSeat(instance: SimulatedInstance): boolean {
    const { inSync = [] } = this.#store.record ?? {};
    return this.#instances.some(
      (other) => other !== instance && inSync.some((seat) => sameSeat(seat, other.seat)),
    );
  }

  #pause(instance: SimulatedInstance): void {
    instance.pause();
    this.#later(3000, () => instance.resume());
  }

  #cut(instance: SimulatedInstance): void {
    const other = this.#random.pick(this.#instances);
    if (other !== instance) this.#network.cut(instance.uuid, other.uuid);
    this.#later(4000, () => this.#network.healCuts());
  }

  /** Only clients reach it: the hardest test of a leader. */
  #isolate(instance: SimulatedInstance): void {
    for (const other of this.#instances) {
      if (other !== instance) this.#network.cut(instance.uuid, other.uuid);
    }
    this.#later(4000, () => this.#network.healCuts());
    this.#cutFromStore(instance);
  }

  /** Nobody can tell it that another one leads, but for those that follow. */
  #leaveInTheDark(instance: SimulatedInstance): void {
    this.#network.cut(instance.uuid, 'coordinator');
    this.#later(4000, () => this.#network.healCuts());
    this.#cutFromStore(instance);
  }

  #cutFromStore({ uuid }: SimulatedInstance): void {
    const { faults } = this.#store;
    this.#store.cutOff(uuid);
    this.#later(3000, () => {
      this.#store.heal();
      if (!this.#isCalm) this.#store.faults = faults;
    });
  }

  #later(withinMs: number, act: () => void): void {
    const delayMs = this.#random.fraction() * withinMs;
    this.#clock.sleep(delayMs).then(act, () => undefined);
  }

  /** Everything heals, and what is still broken by then (started late) has time to. */
  async #calm(): Promise<void> {
    this.#isCalm = true;
    this.#network.faults = CALM_NETWORK;
    await this.#clock.sleep(5000);
    this.#network.healCuts();
    this.#store.heal();
    for (const instance of this.#instances) {
      instance.resume();
      this.#repair(instance);
    }
    await this.#clock.sleep(CALM_MS);
  }

  async #client(): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#random.fraction() * 80);
      if (this.#clock.monotonicMs() > FAULTS_MS + CALM_MS) return;
      this.#checkOneLeader();
      const writable = this.#instances.filter(({ storage }) => storage?.isWritable === true);
      const all = this.#random.chance(0.1) || writable.length === 0 ? this.#instances : writable;
      const instance = this.#random.pick(all);
      const { storage, gate } = instance;
      if (storage === undefined) continue;
      const id = this.#nextId++;
      if (this.#acks !== undefined && this.#random.chance(0.3)) {
        await this.#addLocal(instance, storage, id);
        continue;
      }
      const isRefused = this.#random.chance(0.05);
      const isSync = this.#acks?.isSync ?? false;
      const row = { id, isSync, isRefused, engine: this.#engine };
      const write = gate.pass().then(() => storage.write((tx) => addRow(tx, row)));
      await this.#await(id, write);
    }
  }

  async #addLocal(instance: SimulatedInstance, storage: StorageService, id: number): Promise<void> {
    const incarnation = instance.logIncarnation;
    const row = { id, isSync: this.#acks?.isSync ?? false };
    const work = instance.gate.pass().then(() => storage.write((tx) => addLocalRow(tx, row)));
    const silence = this.#clock.sleep(4000).then(() => 'unknown');
    const outcome = await Promise.race([work.then(() => 'done', verdict), silence]);
    if (outcome === 'done') this.#local.answered(id, instance, incarnation);
    else if (outcome !== 'refused' && outcome !== 'unknown') {
      this.#violations.push(`local row ${id}: ${outcome}`);
    }
  }

  async #await(id: number, write: Promise<void>): Promise<void> {
    const ended = new AbortController();
    const silence = this.#clock.sleep(4000, ended.signal).then(
      () => 'unknown' as const,
      // The answer came first: nobody looks at this any more.
      () => 'unknown' as const,
    );
    const outcome = await Promise.race([write.then(() => 'done' as const, verdict), silence]);
    ended.abort();
    if (outcome === 'done') this.#acknowledged.add(id);
    else if (outcome === 'refused') this.#refused.add(id);
    else if (outcome === 'unknown') this.#unknown++;
    else this.#violations.push(`row ${id}: ${outcome}`);
  }

  #note(text: string): void {
    this.#trace.push(`${this.#clock.monotonicMs().toFixed(0)} ms: ${text}`);
  }

  #checkOneLeader(): void {
    const writable = this.#instances.filter(({ storage }) => storage?.isWritable === true);
    if (writable.length > 1) this.#violations.push('two leaders are writable');
  }

  /** Whoever may be appointed at this moment has everything, whether it ever is or not. */
  async #watchInSync(): Promise<void> {
    while (this.#clock.monotonicMs() < FAULTS_MS + CALM_MS) {
      await this.#clock.sleep(100);
      for (const seat of this.#store.record?.inSync ?? []) {
        const instance = this.#instances.find((other) => sameSeat(other.seat, seat));
        const acknowledged = [...this.#acknowledged];
        await instance?.storage?.read(contentOf, { consistency: 'local' }).then(
          ([ids]) => this.#checkContent(`in-sync ${seat.uuid}`, new Set(ids), acknowledged),
          // One that is without its rows, or has ended, cannot be asked.
          () => undefined,
        );
      }
    }
  }

  #checkNewLeader(instance: SimulatedInstance): void {
    const { storage } = instance;
    const acknowledged = [...this.#acknowledged];
    if (storage === undefined) return;
    const term = storage.promisedTerm;
    storage.read(contentOf, { consistency: 'local' }).then(
      ([ids, , local]) => {
        this.#checkContent(`the new leader ${instance.uuid}`, new Set(ids), acknowledged);
        this.#local.leads(term, local);
      },
      (error: unknown) => this.#violations.push(`a new leader cannot be read: ${String(error)}`),
    );
  }

  #checkContent(who: string, ids: ReadonlySet<number>, acknowledged: readonly number[]): void {
    const missing = acknowledged.filter((id) => !ids.has(id));
    if (missing.length > 0) {
      this.#violations.push(`${who} misses acknowledged rows: ${briefly(missing)}`);
    }
    const wrong = [...this.#refused].filter((id) => ids.has(id));
    if (wrong.length > 0) this.#violations.push(`${who} has refused rows: ${briefly(wrong)}`);
  }

  async #checkEnd(): Promise<void> {
    const left = this.#left();
    const contents = await Promise.all(
      left.map(async ({ storage }) => storage?.read(contentOf, { consistency: 'local' })),
    );
    if (!this.#instances.some(({ storage }) => storage?.isWritable === true)) {
      this.#violations.push('nobody is writable after the calm');
    }
    const [first] = contents;
    const [ids, count, local] = first ?? [[], 0, []];
    this.#checkContent('the end', new Set(ids), [...this.#acknowledged]);
    this.#lost = this.#local.end(local, new Set(this.#cutIds(LOCAL_ID)));
    this.#checkLostCounts();
    if (count !== ids.length) this.#violations.push('half of a transaction is there');
    if (contents.some((content) => !isDeepStrictEqual(content, first))) {
      this.#violations.push('the three hold different rows after the calm');
    }
    const logs = left.map((instance) => batchesIn(instance, 'log'));
    if (logs.some((log) => logs.some((other) => haveDifferentBatches(log, other)))) {
      this.#violations.push('the three have different logs after the calm');
    }
    const ends = left.map(({ storage }) => storage?.position);
    if (ends.some((end) => !isDeepStrictEqual(end, ends[0]))) {
      this.#violations.push('the logs of the three end with different rows after the calm');
    }
    await this.#checkRecovery(first);
    if (this.#store.record?.inSync.length !== left.length) {
      this.#violations.push('not all are in-sync after the calm');
    }
    const cut = this.#cutIds(ROWS_ID).filter(
      (id) => this.#acknowledged.has(id) && !ids.includes(id),
    );
    if (cut.length > 0) this.#violations.push(`acknowledged rows were cut: ${briefly(cut)}`);
  }

  /** Snapshot and log of each make the same rows again. */
  async #checkRecovery(expected: unknown): Promise<void> {
    for (const instance of this.#left()) {
      if (instance.storage === undefined) continue;
      instance.kill();
      await instance.start();
      const content = await instance.storage.read(contentOf, { consistency: 'local' });
      if (!isDeepStrictEqual(content, expected)) {
        this.#violations.push(`${instance.uuid} has other rows after a start`);
      }
    }
  }

  /** What is in `lost/` is what the instance says of it. */
  #checkLostCounts(): void {
    for (const { uuid, storage, disk } of this.#left()) {
      const rows = rowsIn({ disk }, 'lost').filter(({ kind }) => kind !== 'begin-term').length;
      const told = storage?.figures().lostRows ?? rows;
      if (told !== rows) this.#violations.push(`${uuid} counts ${told} lost rows, not ${rows}`);
    }
  }

  /** Rows of a space that clients wrote and that are in `lost/`. */
  #cutIds(space: number): readonly number[] {
    return this.#instances
      .flatMap((instance) => rowsIn(instance, 'lost'))
      .flatMap((row) =>
        row.kind === 'replace' && row.space === space ? [Number(row.tuple.at(-1))] : [],
      );
  }
}

function briefly(ids: readonly number[]): string {
  return `${ids.slice(0, 5).join(', ')} (${ids.length} in all)`;
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

function isRunning({ storage }: SimulatedInstance): boolean {
  return storage !== undefined;
}

function isDiskFailure(error: unknown): boolean {
  const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : '';
  return text.includes('ENOSPC') || text.includes('EIO');
}

function verdict(error: unknown): string {
  if (!(error instanceof ClusterError)) return `failed with ${String(error)}`;
  if (error.code === 'NO_LEADER' || error.code === 'REQUEST_INVALID') return 'refused';
  return error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : `failed with ${error.code}`;
}

/** Each has trimmed its own: what both have must be the same. One that has joined last may have nothing at all. */
function haveDifferentBatches(log: StoredLog, other: StoredLog): boolean {
  const begins = Math.max(...[log, other].map(([first]) => first?.firstSequence ?? Infinity));
  const [a, b] = [log, other].map((each) => each.filter((one) => one.firstSequence >= begins));
  return !isDeepStrictEqual(a, b);
}

function rowsIn(instance: Pick<SimulatedInstance, 'disk'>, folder: string): readonly Row[] {
  const codec = new RowCodec();
  return batchesIn(instance, folder).flatMap(({ payload }) => codec.decode(payload));
}

function batchesIn({ disk }: Pick<SimulatedInstance, 'disk'>, folder: string): StoredLog {
  return disk
    .names(folder)
    .flatMap((name) => validBatches(disk.peek(`${folder}/${name}`) ?? new Uint8Array()))
    .map(({ term, firstSequence, payload }) => ({ term, firstSequence, payload }));
}
