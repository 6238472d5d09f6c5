/** Wires what an instance has of its replica set: leadership, storage, replication, buckets, coordinator. */
import { z } from 'zod';
import type { ClusterConfig, StateProviderConfig } from './contract/cluster-config.ts';
import type { InstanceIdentity } from './contract/identity.ts';
import type { Issue, Position } from './contract/instance-status.ts';
import { topologyOf } from './core/config/read-sections.ts';
import { ClusterError } from './core/errors.ts';
import { addressOf, leaderOrder } from './core/failover/leader-order.ts';
import type { InstanceOptions } from './core/options/instance-options.ts';
import type { Clock } from './foundation/clock.ts';
import type { Logger } from './foundation/logger.ts';
import type { Random } from './foundation/random.ts';
import type { TaskRegistry } from './foundation/task-registry.ts';
import type { Disk } from './ports/disk.ts';
import type { LeaseRenewals } from './ports/lease-renewals.ts';
import type { Membership } from './ports/membership.ts';
import type { InternalHandlers, Peers } from './ports/peers.ts';
import type { RowDatabase } from './ports/row-database.ts';
import type { StateProvider } from './ports/state-provider.ts';
import { AutomaticChanges } from './services/automatic-changes.ts';
import { BucketService } from './services/bucket-service.ts';
import { CoordinatorService } from './services/coordinator-service.ts';
import { PAUSE_METHOD, pauseHandler } from './services/failover-pause.ts';
import { FailoverService } from './services/failover-service.ts';
import type { JoinedReplicaSet } from './services/instance-lifecycle.ts';
import { PeerAbsence } from './services/peer-absence.ts';
import type { ReplicaSetStorage } from './services/replica-set-storage.ts';
import { ReplicationService } from './services/replication-service.ts';
import type { RoleHost } from './services/role-host.ts';
import { StorageService } from './services/storage-service.ts';
import { WritableSince } from './services/writable-since.ts';

export interface ReplicaSetServicesOptions {
  readonly replicaSetUuid: string;
  readonly identity: InstanceIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly peers: Peers;
  readonly membership: Membership;
  /** SHA-256 of the cluster's cookie, hex. */
  readonly cookieHash: string;
  readonly tasks: TaskRegistry;
  readonly roles: () => RoleHost;
  readonly logMode: 'write' | 'fsync';
  readonly memoryBytes: number;
  readonly rowDatabase: RowDatabase;
  readonly snapshots: InstanceOptions['snapshots'];
  readonly config: () => ClusterConfig | undefined;
  readonly openProvider: (config: StateProviderConfig) => StateProvider;
  readonly openRenewals: (config: StateProviderConfig) => LeaseRenewals;
  readonly reporter: LeadershipReporter;
  /** Rows can be read now. */
  readonly onOpen: () => Promise<void>;
  readonly onWritableChange: () => void;
  /** The leader of any replica set may have changed. */
  readonly onLeadersChange: () => void;
  readonly fatal: (error: unknown) => void;
}

/** Tells the launcher what it must give back when this process is dead. */
export interface LeadershipReporter {
  leases(
    held: readonly {
      readonly replicaSetUuid: string;
      readonly term: number;
      readonly incarnation: number;
    }[],
  ): void;
  lock(isHeld: boolean): void;
}

const SNAPSHOT_PATIENCE_MS = 600_000;
const reseedSchema = z.strictObject({ force: z.boolean().default(false) });

export interface SnapshotAnswer {
  readonly name: string;
  readonly position: Position;
  readonly bytes: number;
}

export class ReplicaSetServices implements JoinedReplicaSet {
  readonly replicaSetUuid: string;
  readonly storage: StorageService;
  readonly failover: FailoverService;
  readonly buckets: BucketService;
  readonly coordinator: CoordinatorService;
  readonly changes: AutomaticChanges;
  readonly #replication: ReplicationService;
  readonly #absence: PeerAbsence;
  readonly #writable: WritableSince;
  readonly #options: ReplicaSetServicesOptions;

  constructor(options: ReplicaSetServicesOptions) {
    this.#options = options;
    this.replicaSetUuid = options.replicaSetUuid;
    const { identity, clock, random, logger, disk, peers, openProvider, fatal } = options;
    this.#absence = this.#buildAbsence();
    const writable = () => ({ writable: this.isWritable, term: this.storage.promisedTerm });
    this.#writable = new WritableSince(clock, writable);
    this.changes = new AutomaticChanges({ clock, logger });
    const { changes } = this;
    const common = { identity, clock, random, logger, disk, peers, openProvider, changes };
    this.failover = new FailoverService({
      ...common,
      membership: options.membership,
      openRenewals: options.openRenewals,
      storage: leadershipStorage(() => this),
      onHeld: (held) => options.reporter.leases(held),
      onFatal: (_name, error) => fatal(error),
    });
    this.storage = new StorageService({
      ...{ disk, clock, logger, identity },
      replicaSetUuid: options.replicaSetUuid,
      leadership: this.failover,
      logMode: options.logMode,
      memoryBytes: options.memoryBytes,
      rowDatabase: options.rowDatabase,
      limits: {
        snapshotIntervalMs: options.snapshots.intervalMs,
        snapshotCount: options.snapshots.count,
        snapshotLogBytes: options.snapshots.logBytes,
      },
      fatal,
      isMember: (uuid) => this.#isMember(uuid),
      instances: () => this.#instances(),
    });
    this.#replication = new ReplicationService({
      storage: this.storage,
      leadership: this.failover,
      peers,
      clock,
      logger,
      addressOf: (uuid) => addressOf(topologyOf(options.config()), uuid),
    });
    this.buckets = new BucketService({
      storage: this.storage,
      roles: options.roles,
      replicaSetUuid: () => options.replicaSetUuid,
      leaderOf: (uuid) => this.failover.leaderOf(uuid),
      clock,
    });
    this.coordinator = new CoordinatorService({
      ...common,
      cookieHash: options.cookieHash,
      onLockHeld: (isHeld) => options.reporter.lock(isHeld),
      onFatal: (_name, error) => fatal(error),
    });
  }

  issues(): readonly Issue[] {
    return [
      ...this.failover.issues(),
      ...this.coordinator.issues(),
      ...this.changes.issues(),
      ...this.storage.issues(),
      ...this.#absence.issues(),
    ];
  }

  get isWritable(): boolean {
    return this.storage.isWritable;
  }

  /** Tells the peers why this instance ends; it does not take long, whether they hear it or not. */
  lastWord(error: unknown): Promise<void> {
    return this.#absence.stopped(error);
  }

  async open(): Promise<void> {
    await this.failover.open();
    await this.storage.open();
    const config = this.#options.config();
    if (config !== undefined) await this.configure(config);
    await this.#options.onOpen();
  }

  run(): void {
    const changed = (isWritable: boolean): void => {
      this.buckets.leadershipChanged();
      this.#writable.changed();
      this.#absence.leads(isWritable);
      this.#options.onWritableChange();
    };
    this.storage.onWritableChange(changed);
    this.failover.onLeadersChange(() => {
      this.buckets.leadershipChanged();
      this.#options.onLeadersChange();
    });
    this.#options.tasks.run('follow the leader', (signal) => this.#replication.run(signal));
    this.#options.tasks.run('tell the peers that it runs', (signal) => this.#absence.runs(signal));
    if (this.isWritable) changed(true);
  }

  async configure(config: ClusterConfig): Promise<void> {
    const topology = topologyOf(config);
    await this.failover.configure(topology);
    await this.coordinator.configure(topology);
  }

  #buildAbsence(): PeerAbsence {
    const { identity, replicaSetUuid, peers, clock } = this.#options;
    return new PeerAbsence({
      ...{ replicaSetUuid, peers, clock, selfUuid: identity.uuid },
      topology: () => topologyOf(this.#options.config()),
      inSync: () => {
        // A leader knows who acknowledges now; anyone else knows what it was told last.
        const current = this.failover.current();
        return current.kind === 'leader' ? current.inSync : this.storage.report().inSync.seats;
      },
    });
  }

  #instances(): readonly string[] {
    return leaderOrder(topologyOf(this.#options.config()), this.replicaSetUuid)
      .filter(({ disabled }) => !disabled)
      .map(({ uuid }) => uuid);
  }

  #isMember(uuid: string): boolean {
    const server = topologyOf(this.#options.config()).servers[uuid];
    return (
      server !== undefined &&
      server !== 'expelled' &&
      server.replicaset_uuid === this.replicaSetUuid
    );
  }

  handlers(): InternalHandlers {
    return new Map([
      ...this.storage.handlers({ onPull: ({ seat }) => this.#absence.heard(seat.uuid) }),
      ...this.#absence.handlers(),
      // Leadership answers `leadership.promise` itself, with the storage's help: it has to void its lease first.
      ...this.failover.handlers(),
      ...this.buckets.handlers(),
      ...this.coordinator.handlers(),
      ['leadership.writable', this.#writable.handle],
      [PAUSE_METHOD, pauseHandler(this.changes)],
      ['storage.snapshot', () => this.#snapshot()],
      ['storage.reseed', (body) => this.#reseed(body)],
    ]);
  }

  async #snapshot(): Promise<SnapshotAnswer> {
    const taken = await this.storage.copies.snapshot(AbortSignal.timeout(SNAPSHOT_PATIENCE_MS));
    if (taken !== undefined) return { name: taken.name, position: taken.end, bytes: taken.bytes };
    throw new ClusterError('STATE_FORBIDS', {
      message: 'No snapshot was taken: rows were taken back meanwhile, by a new leader. Try again.',
    });
  }

  async #reseed(body: unknown): Promise<Record<string, never>> {
    await this.#replication.reseed(reseedSchema.parse(body));
    return {};
  }

  /** Hands leadership over, or gives it back: while this instance still answers, so that a successor can catch up. */
  async release(): Promise<void> {
    await this.coordinator.close();
    await this.failover.close();
  }

  async close(): Promise<void> {
    await this.storage.close();
  }
}

/** Storage obeys leadership, and leadership asks the storage: one of them has to be reached later. */
function leadershipStorage(
  services: () => Pick<ReplicaSetServices, 'storage' | 'buckets'>,
): ReplicaSetStorage {
  const storage = (): StorageService => services().storage;
  return {
    // Not the whole report: whether it is writable depends on leadership itself.
    report: () => ({
      position: storage().position,
      promisedTerm: storage().promisedTerm,
      logIncarnation: storage().seat.incarnation,
      followed: storage().followed,
    }),
    progress: () => ({
      acknowledged: storage().acknowledged,
      isComplete: storage().copies.isComplete,
    }),
    seenTerm: () => storage().seenTerm,
    promise: (term) => storage().promise(term),
    freeze: async () => {
      await services().buckets.drain();
      return storage().freeze();
    },
    thaw: () => {
      storage().thaw();
      services().buckets.letIn();
    },
  };
}
