/** One process of a simulated machine: the real services of an instance, behind a gate that pauses or ends it. */

import { addressOf } from '../../runtime/src/core/failover/leader-order.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import type { LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { InternalHandler, InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { CoordinatorService } from '../../runtime/src/services/coordinator-service.ts';
import { FailoverService } from '../../runtime/src/services/failover-service.ts';
import { ReplicationService } from '../../runtime/src/services/replication-service.ts';
import { StorageService } from '../../runtime/src/services/storage-service.ts';
import {
  absentIsExpired,
  acknowledgeEarly,
  appointAnyone,
  DeadlineFromAnswer,
  forgetful,
  suspensionUnseen,
} from './cluster-bugs.ts';
import type { ClusterWorld, Machine } from './cluster-machine.ts';
import { Gate, gatedClock, gatedDisk, gatedHandlers, gatedPeers } from './gate.ts';
import { longestLog, RaftDeadlineFromAnswer } from './raft-bugs.ts';

export class ClusterProcess {
  readonly gate = new Gate();
  readonly storage: StorageService;
  readonly failover: FailoverService;
  readonly coordinator: CoordinatorService;
  /** What the launcher was told. */
  held: { readonly leases: string[]; readonly lock: boolean } = { leases: [], lock: false };
  readonly #machine: Machine;
  readonly #clock: Clock;
  readonly #deadlines: DeadlineFromAnswer;
  readonly #raftDeadlines: RaftDeadlineFromAnswer;
  readonly #replication: ReplicationService;
  readonly #ending = new AbortController();

  constructor(machine: Machine) {
    this.#machine = machine;
    const { world, uuid, replicaSetUuid } = machine;
    const seen =
      world.bug === 'suspension-unseen' ? suspensionUnseen(machine.clock) : machine.clock;
    const clock = gatedClock(seen, this.gate);
    this.#clock = clock;
    this.#deadlines = new DeadlineFromAnswer(clock, world.topology.failover.fencing_ttl * 1000);
    const plainDisk = gatedDisk(machine.disk.mount(), this.gate);
    const forgotten = FORGOTTEN.get(world.bug);
    const disk = forgotten === undefined ? plainDisk : forgetful(plainDisk, clock, forgotten);
    const identity = {
      ...{ v: 1 as const, uuid, clusterUuid: CLUSTER_UUID, bootId: 'boot' },
      ...{ incarnation: machine.incarnation, logIncarnation: machine.logIncarnation },
    };
    const fatal = (error: unknown): void => {
      if (!this.gate.isDead) world.onFatal(machine, error);
    };
    this.#raftDeadlines = new RaftDeadlineFromAnswer(clock);
    const peers = this.#peers(gatedPeers(world.network.peersFor(uuid), this.gate));
    const shared = { identity, clock, random: world.random, logger: silentLogger, peers, disk };
    const storageOf = (): StorageService => this.storage;
    this.failover = new FailoverService({
      ...shared,
      storage: {
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
        freeze: () => storageOf().freeze(),
        thaw: () => storageOf().thaw(),
      },
      openProvider: () => this.#openProvider('failover'),
      onHeld: (leases) => {
        this.held = { ...this.held, leases: leases.map((lease) => lease.replicaSetUuid) };
      },
      onFatal: (_name, error) => fatal(error),
    });
    const leadership = this.#leadership();
    this.storage = new StorageService({
      ...shared,
      ...{ replicaSetUuid, leadership, fatal, logMode: world.logMode },
      defer: (flush) => void clock.sleep(0).then(flush),
      // Small, so that a run crosses many segments and answers from files as well as from memory.
      limits: { segmentBytes: 2000, recentBytes: 1000, pullBytes: 500 },
      instances: () => Object.keys(world.topology.servers),
      ...(world.bug === 'acknowledge-early' ? { required: acknowledgeEarly } : {}),
    });
    this.#replication = new ReplicationService({
      ...shared,
      ...{ storage: this.storage, leadership },
      addressOf: (other) => addressOf(world.topology, other),
    });
    this.coordinator = new CoordinatorService({
      ...shared,
      openProvider: () => this.#openProvider('coordinator'),
      onLockHeld: (lock) => {
        this.held = { ...this.held, lock };
      },
      onFatal: (_name, error) => fatal(error),
    });
  }

  async start(): Promise<void> {
    const { world, uuid } = this.#machine;
    await this.failover.open();
    await this.storage.open();
    world.network.listen(uuid, gatedHandlers(this.#handlers(), this.gate));
    await this.failover.configure(world.topology);
    await this.coordinator.configure(world.topology);
    this.storage.onWritableChange((isWritable) => world.onWritable(this.#machine, isWritable));
    this.#replication
      .run(this.#ending.signal)
      .catch((error: unknown) => world.onFatal(this.#machine, error));
    if (this.storage.isWritable) world.onWritable(this.#machine, true);
  }

  async close(): Promise<void> {
    await this.coordinator.close();
    await this.failover.close();
    this.#ending.abort();
    await this.storage.close();
  }

  #peers(peers: Peers): Peers {
    const { bug } = this.#machine.world;
    if (bug === 'raft-deadline-from-answer') return this.#raftDeadlines.peers(peers);
    return bug === 'votes-for-shorter-log' ? longestLog(peers) : peers;
  }

  #leadership(): LeadershipPort {
    const { bug } = this.#machine.world;
    if (bug === 'raft-deadline-from-answer') return this.#raftDeadlines.leadership(this.failover);
    return bug === 'deadline-from-answer'
      ? this.#deadlines.leadership(this.failover)
      : this.failover;
  }

  #openProvider(whose: 'failover' | 'coordinator'): StateProvider {
    const { world, uuid } = this.#machine;
    const client = this.#machine.openProvider(this.#clock, () => this.gate.pass());
    const isCoordinator = whose === 'coordinator';
    if (world.bug === 'deadline-from-answer' && !isCoordinator) {
      return this.#deadlines.provider(client, uuid);
    }
    if (world.bug === 'absent-is-expired' && isCoordinator) {
      return absentIsExpired(client, Object.keys(world.topology.replicasets));
    }
    if (world.bug === 'appoint-anyone' && isCoordinator) {
      return appointAnyone(client, world.seatsOf);
    }
    return client;
  }

  #handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ...this.storage.handlers(),
      ...this.failover.handlers(),
      ['status', async () => this.#status()],
    ]);
  }

  /** What leadership reads of the status that `describe-instance.ts` makes. */
  #status(): unknown {
    const { position, promisedTerm, acknowledged } = this.storage.report();
    const { uuid, state } = this.#machine;
    return {
      ...{ uuid, state, error: null, config: { version: 1 } },
      replicaSet: { position, promisedTerm, acknowledged },
    };
  }
}

const FORGOTTEN = new Map<ClusterWorld['bug'], string>([
  ['forgetful-promise', 'promised.json'],
  ['forgetful-vote', 'raft.json'],
]);
const CLUSTER_UUID = '00000000-0000-4000-8000-00000000000c';
