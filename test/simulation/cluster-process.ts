/** One process of a simulated machine: the real services of an instance, behind a gate that pauses or ends it. */

import { addressOf } from '../../runtime/src/core/failover/leader-order.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import type { Leadership } from '../../runtime/src/ports/leadership.ts';
import type { LeaseRenewals } from '../../runtime/src/ports/lease-renewals.ts';
import type { InternalHandler, InternalHandlers } from '../../runtime/src/ports/peers.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { AutomaticChanges } from '../../runtime/src/services/automatic-changes.ts';
import { CoordinatorService } from '../../runtime/src/services/coordinator-service.ts';
import { PAUSE_METHOD, pauseHandler } from '../../runtime/src/services/failover-pause.ts';
import { FailoverService } from '../../runtime/src/services/failover-service.ts';
import type { ReplicaSetStorage } from '../../runtime/src/services/replica-set-storage.ts';
import { ReplicationService } from '../../runtime/src/services/replication-service.ts';
import { StorageService } from '../../runtime/src/services/storage-service.ts';
import {
  type ClusterBug,
  NOTHING_PLANTED,
  type Planting,
  type ServedStorage,
} from './cluster-bugs.ts';
import type { Machine } from './cluster-machine.ts';
import { threadRenewals } from './cluster-stalls.ts';
import { Gate, gatedClock, gatedDisk, gatedHandlers, gatedPeers } from './gate.ts';

export class ClusterProcess {
  readonly gate = new Gate();
  /** Of the thread that renews its lease. */
  readonly #thread = new Gate();
  readonly storage: StorageService;
  /** What clients of registers see of the storage. */
  readonly served: ServedStorage;
  readonly failover: FailoverService;
  readonly coordinator: CoordinatorService;
  readonly changes: AutomaticChanges;
  /** What the launcher was told. */
  held: { readonly leases: string[]; readonly lock: boolean } = { leases: [], lock: false };
  readonly #machine: Machine;
  readonly #clock: Clock;
  readonly #planting: Planting;
  readonly #replication: ReplicationService;
  readonly #ending = new AbortController();
  #pausedAtMs: number | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    const { world, uuid, replicaSetUuid } = machine;
    const ownClock = gatedClock(machine.clock, this.gate);
    const planting = world.bug === undefined ? {} : this.#plant(world.bug, ownClock);
    this.#planting = planting;
    const change = { ...NOTHING_PLANTED, ...planting };
    const clock = change.clock(ownClock);
    this.#clock = clock;
    const plainDisk = gatedDisk(machine.disk.mount(), this.gate);
    const disk = change.disk(world.diskFor?.(plainDisk) ?? plainDisk);
    const identity = {
      ...{ v: 1 as const, uuid, clusterUuid: CLUSTER_UUID, bootId: 'boot' },
      ...{ incarnation: machine.incarnation, logIncarnation: machine.logIncarnation },
    };
    const fatal = (error: unknown): void => {
      if (!this.gate.isDead) world.onFatal(machine, error);
    };
    const peers = change.peers(gatedPeers(world.network.peersFor(uuid), this.gate));
    const shared = { identity, clock, random: machine.random, logger: silentLogger, peers, disk };
    this.changes = new AutomaticChanges(shared);
    this.changes.onChange(() => {
      this.#pausedAtMs = this.changes.isPaused ? world.clock.monotonicMs() : undefined;
    });
    const storageOf = (): StorageService => this.storage;
    const plain = (storage: ReplicaSetStorage): ReplicaSetStorage => storage;
    this.failover = new FailoverService({
      ...shared,
      identity: change.identity(identity),
      membership: world.membershipFor?.(machine, this.gate),
      storage: (world.storageFor ?? plain)({
        report: () => ({
          position: storageOf().position,
          promisedTerm: storageOf().promisedTerm,
          logIncarnation: identity.logIncarnation,
          followed: storageOf().followed,
        }),
        progress: () => ({
          acknowledged: storageOf().acknowledged,
          isComplete: storageOf().copies.isComplete,
        }),
        seenTerm: () => storageOf().seenTerm,
        promise: (term) => storageOf().promise(term),
        freeze: async () =>
          planting.neverFreezes === true ? storageOf().position : storageOf().freeze(),
        thaw: () => storageOf().thaw(),
      }),
      openProvider: () => this.#openProvider('failover'),
      openRenewals: world.hasThreads === true ? () => this.#renewals() : undefined,
      onHeld: (leases) => {
        this.held = { ...this.held, leases: leases.map((lease) => lease.replicaSetUuid) };
      },
      onFatal: (_name, error) => fatal(error),
    });
    const leadership = change.leadership(this.failover);
    this.storage = new StorageService({
      ...shared,
      ...{ replicaSetUuid, leadership, fatal, logMode: world.logMode },
      defer: (flush) => void clock.sleep(0).then(flush),
      // Small, so that a run crosses many segments and answers from files as well as from memory.
      limits: { segmentBytes: 2000, recentBytes: 1000, pullBytes: 500 },
      instances: () => world.seatsOf(replicaSetUuid).map((seat) => seat.uuid),
      ...(planting.required === undefined ? {} : { required: planting.required }),
    });
    this.served = change.served(this.storage);
    this.#replication = new ReplicationService({
      ...shared,
      ...{ storage: this.storage, leadership },
      addressOf: (other) => addressOf(world.topology, other),
    });
    this.coordinator = new CoordinatorService({
      ...shared,
      changes: planting.hearsOfNoPause === true ? new AutomaticChanges(shared) : this.changes,
      openProvider: () => this.#openProvider('coordinator'),
      onLockHeld: (lock) => {
        this.held = { ...this.held, lock };
      },
      onFatal: (_name, error) => fatal(error),
    });
  }

  get pausedMs(): number {
    const nowMs = this.#machine.world.clock.monotonicMs();
    return nowMs - (this.#pausedAtMs ?? nowMs);
  }

  async start(): Promise<void> {
    const { world, uuid } = this.#machine;
    await this.failover.open();
    await this.storage.open();
    const { handlers, topology } = { ...NOTHING_PLANTED, ...this.#planting };
    world.network.listen(uuid, gatedHandlers(handlers(this.#handlers()), this.gate));
    await this.failover.configure(world.topology);
    await this.coordinator.configure(topology(world.topology));
    this.storage.onWritableChange((isWritable) => world.onWritable(this.#machine, isWritable));
    this.#replication
      .run(this.#ending.signal)
      .catch((error: unknown) => world.onFatal(this.#machine, error));
    if (this.storage.isWritable) world.onWritable(this.#machine, true);
  }

  /** As a whole, with its thread; `gate` alone is its main loop. */
  pause(): void {
    this.gate.pause();
    this.#thread.pause();
  }

  resume(): void {
    this.gate.resume();
    this.#thread.resume();
  }

  kill(): void {
    this.gate.kill();
    this.#thread.kill();
  }

  async close(): Promise<void> {
    await this.coordinator.close();
    await this.failover.close();
    this.#ending.abort();
    await this.storage.close();
  }

  #plant(bug: ClusterBug, clock: Clock): Planting {
    const { world } = this.#machine;
    const ttlMs = world.topology.failover.fencing_ttl * 1000;
    const current = (): Leadership => this.failover.current();
    return bug.plant({ machine: this.#machine, world, clock, ttlMs, current });
  }

  #openProvider(of: 'failover' | 'coordinator'): StateProvider {
    const client = this.#machine.openProvider(this.#clock, () => this.gate.pass());
    return this.#planting.provider?.(client, of) ?? client;
  }

  #renewals(): LeaseRenewals {
    const { renewals, clock } = { ...NOTHING_PLANTED, ...this.#planting };
    const gates = { main: this.gate, thread: this.#thread };
    return renewals(threadRenewals(this.#machine, gates, clock));
  }

  #handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ...this.storage.handlers(),
      ...this.failover.handlers(),
      ...this.coordinator.handlers(),
      [PAUSE_METHOD, pauseHandler(this.changes)],
      ['status', async () => this.#status()],
    ]);
  }

  /** What leadership reads of the status that `describe-instance.ts` makes. */
  #status(): unknown {
    const { position, promisedTerm, acknowledged } = this.storage.report();
    const { uuid, state } = this.#machine;
    return {
      ...{ uuid, state, error: state === 'OperationError' ? 'it fails' : null },
      config: { version: 1 },
      replicaSet: { position, promisedTerm, acknowledged },
    };
  }
}

const CLUSTER_UUID = '00000000-0000-4000-8000-00000000000c';
