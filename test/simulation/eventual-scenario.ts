/**
 * A replica set whose leader is chosen by gossip: real leadership, storage and replication on a simulated network.
 *
 * First nothing fails: instances stop and start again one at a time, and the order of the failover priority changes.
 * Then no acknowledged row may be missing. After that processes are killed and paused and links are cut, and two may
 * lead: no term may have two leaders, and a row that is missing afterwards must be among those kept in `lost/`. When
 * all is well again, the first of the priority leads and all logs are equal.
 */
import { type Topology, topologySchema } from '../../runtime/src/contract/cluster-config.ts';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { Transaction } from '../../runtime/src/core/storage/engine.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import { type ClusterWorld, Machine } from './cluster-machine.ts';
import { EventualChecker } from './eventual-checker.ts';
import { Gossip } from './eventual-gossip.ts';
import type { Scenario, ScenarioRun } from './scenario.ts';

/**
 * `one-slot`: two instances take the same terms. `no-freeze`: a leader that hands over goes on writing. `rows-dropped`:
 * rows that are cut are kept nowhere. `never-yields`: a leader does not hear that a higher term was promised.
 */
export type EventualBug = 'one-slot' | 'no-freeze' | 'rows-dropped' | 'never-yields';
const SET = '00000000-0000-4000-8000-000000000a00';
const FAILOVER_TIMEOUT_MS = 1000;
const GENTLE_STEPS = 3;
const ROUGH_STEPS = 6;
const RECOVERY_MS = 20_000;
const POLL_MS = 50;

export function eventualScenario(bug?: EventualBug): Scenario {
  return { name: 'eventual', run: (seed) => new EventualRun(seed, bug).run() };
}

class EventualRun {
  readonly #clock = new SimulatedClock({ isAlone: true });
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #machines: readonly Machine[];
  readonly #checker: EventualChecker;
  readonly #gossip: Gossip;
  readonly #cuts = new Set<string>();
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #ended = new AbortController();
  #topology: Topology;
  #ids = 0;

  constructor(seed: number, bug: EventualBug | undefined) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#network = new SimulatedNetwork({ clock: this.#clock, random });
    const uuids = (bug === 'one-slot' ? SAME_SLOT : UUIDS).slice(0, random.pick([2, 3, 3, 4]));
    this.#topology = topologyOf(uuids, random.chance(0.5));
    const gossip = new Gossip({
      ...{ clock: this.#clock, random, uris: uuids.map(uriOf), suspectMs: FAILOVER_TIMEOUT_MS },
      reaches: (a, b) => !this.#cuts.has([a, b].sort().join()),
    });
    const topology = (): Topology => this.#topology;
    const world: ClusterWorld = {
      ...{ clock: this.#clock, random, network: this.#network, store: new SimulatedStore() },
      ...{
        bug: undefined,
        logMode: 'write',
        seatsOf: () => this.#machines.map(({ seat }) => seat),
      },
      ...{ randomOf: () => random, onTransaction: () => undefined },
      get topology() {
        return topology();
      },
      membershipFor: (machine, gate) => gossip.join(uriOf(machine.uuid), machine.uuid, gate),
      ...plant(bug),
      onWritable: (machine, isWritable) => this.#checker.writable(machine, isWritable),
      onFatal: (machine, error) =>
        this.#violate(`a service of ${nameOf(machine.uuid)} failed: ${String(error)}`),
    };
    this.#machines = uuids.map((uuid) => new Machine(uuid, SET, world));
    this.#checker = new EventualChecker({
      ...{ machines: this.#machines, nameOf },
      violate: (message) => this.#violate(message),
      note: (message) => this.#note(message),
      count: (what, times) => this.#count(what, times),
    });
    this.#gossip = gossip;
  }

  async run(): Promise<ScenarioRun> {
    this.#story().then(
      () => this.#ended.abort(),
      (error: unknown) => this.#violate(`the run broke: ${String(error)}`),
    );
    while (!this.#ended.signal.aborted) {
      if (!(await this.#clock.next())) this.#violate('everything stands still');
    }
    return {
      violations: [...this.#violations],
      trace: [...this.#trace],
      counts: { ...this.#counts },
    };
  }

  async #story(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => this.#start(machine)));
    for (const client of [this.#writer(), this.#writer()]) {
      client.catch((error: unknown) => this.#violate(`a client broke: ${String(error)}`));
    }
    await this.#converge('at the start');
    for (let step = 0; step < GENTLE_STEPS; step++) {
      await this.#gentle();
      await this.#converge('after a planned step');
    }
    this.#checker.nothingIsMissing();
    this.#note('faults begin');
    for (let step = 0; step < ROUGH_STEPS; step++) await this.#rough();
    await this.#heal();
    this.#note('all faults have ended');
    await this.#converge('after all faults');
    this.#checker.everythingIsAccountedFor();
  }

  async #start(machine: Machine): Promise<void> {
    await machine.start();
    const member = this.#gossip.members.get(uriOf(machine.uuid));
    if (machine.process !== undefined) member?.setPayload('state', 'RolesConfigured');
  }

  async #gentle(): Promise<void> {
    const machine = this.#random.pick(this.#machines);
    if (this.#random.chance(0.5)) {
      this.#count('planned stops');
      this.#note(`${nameOf(machine.uuid)} stops`);
      await machine.stop();
      await this.#clock.sleep(this.#random.fraction() * 3000);
      await this.#start(machine);
      this.#note(`${nameOf(machine.uuid)} has started again`);
      return;
    }
    this.#count('changes of the priority');
    this.#note(`${nameOf(machine.uuid)} shall lead`);
    const set = this.#topology.replicasets[SET];
    const priority = [machine.uuid, ...this.#machines.map(({ uuid }) => uuid)];
    const changed = { ...set!, failover_priority: [...new Set(priority)] };
    this.#topology = { ...this.#topology, replicasets: { [SET]: changed } };
    for (const one of this.#machines) await one.process?.failover.configure(this.#topology);
  }

  async #rough(): Promise<void> {
    const machine = this.#random.pick(this.#machines);
    const other = this.#random.pick(this.#machines);
    const name = nameOf(machine.uuid);
    const kind = this.#random.pick(['kill', 'pause', 'isolate', 'cut', 'wait']);
    this.#count(kind);
    this.#note(`${kind} ${name}`);
    if (kind === 'kill') {
      machine.kill(false);
      await this.#clock.sleep(this.#random.fraction() * 2500);
      await this.#start(machine);
    } else if (kind === 'pause') {
      const gate = machine.process?.gate;
      gate?.pause();
      await this.#clock.sleep(this.#random.fraction() * 4000);
      gate?.resume();
    } else if (kind === 'isolate') {
      for (const one of this.#machines) this.#cut(machine, one);
    } else if (kind === 'cut') {
      this.#cut(machine, other);
    }
    await this.#clock.sleep(this.#random.fraction() * 3000);
    if (this.#random.chance(0.4)) this.#healCuts();
  }

  #cut(a: Machine, b: Machine): void {
    if (a === b) return;
    this.#network.cut(a.uuid, b.uuid);
    this.#cuts.add([uriOf(a.uuid), uriOf(b.uuid)].sort().join());
  }

  #healCuts(): void {
    this.#network.healCuts();
    this.#cuts.clear();
  }

  async #heal(): Promise<void> {
    this.#healCuts();
    for (const machine of this.#machines) {
      machine.process?.resume();
      await this.#start(machine);
    }
  }

  /** One leader in the eyes of all, the one that is wanted most, and all have its rows. */
  async #converge(when: string): Promise<void> {
    const endMs = this.#clock.monotonicMs() + RECOVERY_MS;
    const first = this.#topology.replicasets[SET]?.failover_priority[0] ?? '';
    let missing: string | undefined;
    while (this.#clock.monotonicMs() < endMs) {
      await this.#clock.sleep(POLL_MS);
      missing = this.#checker.whatIsMissing(SET, first);
      if (missing === undefined) return;
    }
    this.#violate(`${when}, ${RECOVERY_MS} ms later: ${missing}`);
  }

  async #writer(): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#random.fraction() * 60);
      const writable = this.#machines.filter(({ isWritable }) => isWritable);
      if (writable.length === 0) continue;
      const { process } = this.#random.pick(writable);
      if (process === undefined) continue;
      const id = this.#ids++;
      const isDone = await process.storage
        .write((transaction) => addRow(transaction, id), { timeoutMs: 1000 })
        .then(() => true, isRefusal);
      if (isDone) this.#checker.answered(id);
      this.#count(isDone ? 'done' : 'not done');
    }
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

const UUIDS = [1, 2, 3, 4].map((index) => `00000000-0000-4000-8000-0000000000a${index}`);
/** Their terms cannot be told apart: validation refuses them in one replica set. */
const SAME_SLOT = [
  '00000000-0000-4000-8000-00000000027f',
  '00000000-0000-4000-8000-000000000443',
  '00000000-0000-4000-8000-0000000000a3',
  '00000000-0000-4000-8000-0000000000a4',
];

function plant(bug: EventualBug | undefined): Partial<ClusterWorld> {
  if (bug === 'no-freeze') {
    return {
      storageFor: (storage) => ({ ...storage, freeze: async () => storage.report().position }),
    };
  }
  if (bug === 'never-yields') {
    // What tells a leader that it is not the only one is not heard.
    return { storageFor: (storage) => ({ ...storage, seenTerm: () => 0 }) };
  }
  if (bug === 'rows-dropped') return { diskFor: (disk) => ({ ...disk, ...withoutLost(disk) }) };
  return {};
}

function withoutLost(disk: Disk): Pick<Disk, 'writeAtomic'> {
  return {
    writeAtomic: async (file, bytes) => {
      if (!file.startsWith('lost/')) await disk.writeAtomic(file, bytes);
    },
  };
}

function uriOf(uuid: string): string {
  return `i${uuid.slice(-4)}:1`;
}

function nameOf(uuid: string): string {
  return uuid.slice(-2);
}

function topologyOf(uuids: readonly string[], fences: boolean): Topology {
  const servers = uuids.map((uuid) => {
    const uri = uriOf(uuid);
    return [uuid, { uri, http_uri: uri, alias: nameOf(uuid), replicaset_uuid: SET }] as const;
  });
  const topology = topologySchema.parse({
    servers: Object.fromEntries(servers) as unknown,
    replicasets: { [SET]: { alias: 'set', failover_priority: [...uuids] } },
    failover: {
      mode: 'eventual',
      failover_timeout: FAILOVER_TIMEOUT_MS / 1000,
      ...{ fencing_enabled: fences, fencing_timeout: 0.7, fencing_pause: 0.2 },
    },
  });
  // The network knows instances by their UUID.
  const reachable = Object.entries(topology.servers).map(([uuid, server]) => [
    uuid,
    server === 'expelled' ? server : { ...server, http_uri: uuid },
  ]);
  return { ...topology, servers: Object.fromEntries(reachable) as Topology['servers'] };
}

function addRow(transaction: Transaction, id: number): void {
  const format = [{ name: 'id', type: 'unsigned' as const }];
  transaction.createSpace('rows', { format, ifNotExists: true });
  transaction.createIndex('rows', { name: 'primary', parts: ['id'], ifNotExists: true });
  transaction.insert('rows', [id]);
}

function isRefusal(error: unknown): boolean {
  if (error instanceof ClusterError) return false;
  throw error;
}
