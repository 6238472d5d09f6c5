/**
 * One simulated instance: the real FailoverService and CoordinatorService on simulated ports, and a model of storage
 * and replication that obeys them.
 */
import type { Topology } from '../../runtime/src/contract/cluster-config.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import type { Leadership } from '../../runtime/src/ports/leadership.ts';
import type { InternalHandler, InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { CoordinatorService } from '../../runtime/src/services/coordinator-service.ts';
import { FailoverService } from '../../runtime/src/services/failover-service.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import type { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedStateProvider } from '../../runtime/src/testing/simulated-state-provider.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { InstanceClock } from './leadership-clock.ts';
import { type DurableLog, type Entry, ModelStorage } from './leadership-storage.ts';

export interface InstanceOptions {
  readonly uuid: string;
  readonly clusterUuid: string;
  readonly replicaSetUuid: string;
  readonly incarnation: number;
  readonly clock: InstanceClock;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly world: InstanceClock;
  readonly random: SeededRandom;
  readonly disk: SimulatedDisk;
  readonly log: DurableLog;
  readonly topology: Topology;
  readonly nextId: () => number;
  readonly onAcknowledged: (entry: Entry) => void;
  readonly onFatal: (error: unknown) => void;
  /** A planted bug wraps the clients. */
  readonly wrap: (provider: StateProvider, kind: 'failover' | 'coordinator') => StateProvider;
}

interface Pull {
  readonly uuid: string;
  readonly promised: number;
  readonly length: number;
  readonly lastTerm: number;
}

type PullAnswer =
  | { readonly kind: 'rows'; readonly term: number; readonly rows: readonly Entry[] }
  | { readonly kind: 'differs'; readonly term: number }
  | { readonly kind: 'not-leader' };

const PATIENCE_MS = 500;

export class LeadershipInstance {
  readonly options: InstanceOptions;
  readonly failover: FailoverService;
  readonly coordinator: CoordinatorService;
  readonly clients: SimulatedStateProvider[] = [];
  readonly storage: ModelStorage;
  readonly #peers: Peers;
  /** How far each follower has come in the term that this instance leads. */
  readonly #progress = new Map<string, number>();
  #progressTerm = 0;
  alive = true;

  constructor(options: InstanceOptions) {
    this.options = options;
    const { clock, random, network, uuid } = options;
    this.storage = new ModelStorage(options.log);
    this.#peers = gatedPeers(network.peersFor(uuid), clock);
    const identity = {
      ...{ v: 1 as const, uuid, clusterUuid: options.clusterUuid, bootId: 'boot' },
      ...{ incarnation: options.incarnation, logIncarnation: 1 },
    };
    const shared = {
      ...{ identity, clock, random, peers: this.#peers, logger: silentLogger },
      onFatal: (_: string, error: unknown) => options.onFatal(error),
    };
    this.failover = new FailoverService({
      ...shared,
      disk: options.disk.mount(),
      storage: this.storage,
      openProvider: () => this.#open('failover'),
      onHeld: () => undefined,
    });
    this.coordinator = new CoordinatorService({
      ...shared,
      openProvider: () => this.#open('coordinator'),
      onLockHeld: () => undefined,
    });
  }

  async start(): Promise<void> {
    const { network, uuid, topology } = this.options;
    await this.failover.open();
    network.listen(uuid, gatedHandlers(this.#handlers(), this.options.clock));
    await this.failover.configure(topology);
    await this.coordinator.configure(topology);
    for (const loop of [this.#write(), this.#pull(), this.#readmit()]) {
      loop.catch((error: unknown) => this.options.onFatal(error));
    }
  }

  kill(): void {
    this.alive = false;
    this.options.clock.stop();
    this.options.network.close(this.options.uuid);
    this.options.disk.unmount();
  }

  /** Would it apply a write at this moment? */
  leadership(): Extract<Leadership, { kind: 'leader' }> | undefined {
    if (!this.alive || this.options.clock.isStopped) return undefined;
    const current = this.failover.current();
    return current.kind === 'leader' && current.deadlineMs > this.options.clock.monotonicMs()
      ? current
      : undefined;
  }

  #open(kind: 'failover' | 'coordinator'): StateProvider {
    const { store, clock, world, random } = this.options;
    const client = new SimulatedStateProvider({
      ...{ store, clock, random, network: world },
      deliver: () => clock.running(),
    });
    this.clients.push(client);
    return this.options.wrap(client, kind);
  }

  #handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ...this.failover.handlers(),
      ['status', async () => this.#status()],
      ['pull', async (body) => this.#serve(body as Pull)],
    ]);
  }

  #status(): unknown {
    const { position, promisedTerm } = this.storage.report();
    return { uuid: this.options.uuid, replicaSet: { position, promisedTerm } };
  }

  /** One write after the other, each acknowledged by all in-sync members. */
  async #write(): Promise<void> {
    const { clock, random, log, nextId } = this.options;
    for (;;) {
      await clock.sleep(20 + random.fraction() * 60);
      const leader = this.leadership();
      if (leader === undefined || this.storage.frozen || log.promisedTerm > leader.term) continue;
      log.promisedTerm = leader.term;
      const entry = { term: leader.term, id: nextId() };
      log.entries.push(entry);
      await this.#acknowledge(entry, log.entries.length, leader.term);
    }
  }

  async #acknowledge(entry: Entry, length: number, term: number): Promise<void> {
    const { clock, uuid } = this.options;
    const patientUntilMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      const leader = this.leadership();
      if (leader?.term !== term) return;
      const lagging = leader.inSync.filter(
        (seat) => seat.uuid !== uuid && this.#reached(seat.uuid, term) < length,
      );
      if (lagging.length === 0) {
        this.options.onAcknowledged(entry);
        return;
      }
      if (clock.monotonicMs() > patientUntilMs) {
        const kept = leader.inSync.filter((seat) => !lagging.includes(seat));
        const outcome = await this.failover.proposeInSync(kept, 'a laggard');
        if (outcome === 'lost') return;
      }
      await clock.sleep(10);
    }
  }

  /** Takes members back that have everything. */
  async #readmit(): Promise<void> {
    const { clock, uuid, log, topology } = this.options;
    for (;;) {
      await clock.sleep(200);
      const leader = this.leadership();
      if (leader === undefined || this.storage.frozen) continue;
      const back = Object.keys(topology.servers).filter(
        (other) =>
          other !== uuid &&
          !leader.inSync.some((seat) => seat.uuid === other) &&
          this.#reached(other, leader.term) >= log.entries.length,
      );
      if (back.length === 0) continue;
      const seats = [...leader.inSync, ...back.map((other) => ({ uuid: other, incarnation: 1 }))];
      await this.failover.proposeInSync(seats, 'caught up');
    }
  }

  #reached(uuid: string, term: number): number {
    return this.#progressTerm === term ? (this.#progress.get(uuid) ?? 0) : 0;
  }

  #serve(pull: Pull): PullAnswer {
    const current = this.failover.current();
    if (current.kind !== 'leader' || pull.promised > current.term) return { kind: 'not-leader' };
    const { term } = current;
    const { entries } = this.options.log;
    const before = entries[pull.length - 1];
    if (pull.length > 0 && before?.term !== pull.lastTerm) return { kind: 'differs', term };
    if (pull.promised === term) {
      if (this.#progressTerm !== term) this.#progress.clear();
      this.#progressTerm = term;
      this.#progress.set(pull.uuid, pull.length);
    }
    return { kind: 'rows', term, rows: entries.slice(pull.length) };
  }

  async #pull(): Promise<void> {
    const { clock, uuid, log } = this.options;
    for (;;) {
      await clock.sleep(30);
      const current = this.failover.current();
      if (current.kind !== 'follower') continue;
      const { length } = log.entries;
      const { term: lastTerm } = this.storage.position();
      const pull: Pull = { uuid, promised: log.promisedTerm, length, lastTerm };
      const answer = (await this.#peers
        .call(current.leader, 'pull', pull, { timeoutMs: 300 })
        .catch(() => ({ kind: 'not-leader' }))) as PullAnswer;
      if (answer.kind === 'not-leader' || answer.term < log.promisedTerm) continue;
      if (log.entries.length !== length) continue;
      log.promisedTerm = answer.term;
      if (answer.kind === 'rows') this.storage.take(length, answer.rows);
      else this.storage.dropLastTerm();
    }
  }
}

function gatedPeers(peers: Peers, clock: InstanceClock): Peers {
  return {
    call: async (address, method, body, options) => {
      try {
        return await peers.call(address, method, body, options);
      } finally {
        await clock.running();
      }
    },
  };
}

function gatedHandlers(handlers: InternalHandlers, clock: InstanceClock): InternalHandlers {
  return new Map(
    [...handlers].map(([method, handle]): [string, InternalHandler] => [
      method,
      async (body) => {
        await clock.running();
        const answer = await handle(body);
        await clock.running();
        return answer;
      },
    ]),
  );
}
