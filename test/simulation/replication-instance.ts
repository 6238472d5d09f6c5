/** One instance of a simulated replica set: the real storage and replication services on simulated ports. */
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import type { RequiredSeats } from '../../runtime/src/core/replication/leader-progress.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { type Logger, silentLogger } from '../../runtime/src/foundation/logger.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import type { LogMode } from '../../runtime/src/services/replica-log.ts';
import { ReplicationService } from '../../runtime/src/services/replication-service.ts';
import type { StorageLimits } from '../../runtime/src/services/storage-limits.ts';
import { StorageService } from '../../runtime/src/services/storage-service.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import type { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { SimulatedRowDatabase } from '../../runtime/src/testing/simulated-row-database.ts';
import { Gate, gatedClock, gatedDisk, gatedHandlers, gatedPeers } from './gate.ts';
import {
  cutRowsNotKept,
  joinAtTheEnd,
  lateLog,
  latePromise,
  lowerTermRows,
  neverSynced,
  type ReplicationBug,
  reusedSegment,
} from './replication-bugs.ts';
import { type LeadershipStore, ModelLeadership } from './replication-leadership.ts';
import type { StreamWatch } from './replication-stream.ts';

export interface InstanceWorld {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly stream: StreamWatch;
  readonly store: LeadershipStore;
  readonly replicaSetUuid: string;
  readonly logMode: LogMode;
  readonly limits: Partial<StorageLimits>;
  readonly required: RequiredSeats | undefined;
  readonly bug: ReplicationBug | undefined;
  readonly instances: readonly string[];
  readonly onWritable: (instance: SimulatedInstance, isWritable: boolean) => void;
  /** The process has ended itself: its disk is full or broken, or it lays its rows aside. */
  readonly onEnd: (instance: SimulatedInstance, error: unknown) => void;
  readonly onLog: (message: string) => void;
  readonly onViolation: (text: string) => void;
}

export class SimulatedInstance {
  readonly uuid: string;
  readonly disk: SimulatedDisk;
  readonly rowDatabase = new SimulatedRowDatabase();
  logIncarnation = 1;
  /** Lost for good, with its disk. */
  isDestroyed = false;
  storage: StorageService | undefined;
  replication: ReplicationService | undefined;
  readonly #world: InstanceWorld;
  #gate = new Gate();
  #processes = 0;
  #stop = new AbortController();

  constructor(uuid: string, world: InstanceWorld) {
    this.uuid = uuid;
    this.#world = world;
    this.disk = new SimulatedDisk({ clock: world.clock, random: world.random });
  }

  get seat(): Seat {
    return { uuid: this.uuid, incarnation: this.logIncarnation };
  }

  get gate(): { pass(): Promise<void> } {
    return this.#gate;
  }

  async start(): Promise<void> {
    const { network, store, required, onViolation } = this.#world;
    const gate = new Gate();
    this.#gate = gate;
    this.#stop = new AbortController();
    this.#processes++;
    // As `plan-identity.ts` does it.
    if (this.disk.peek('reseed.json') !== undefined) this.logIncarnation++;
    const clock = gatedClock(this.#world.clock, gate);
    const leadership = new ModelLeadership(store, this.seat, this.#processName(), clock);
    const storage = new StorageService({
      disk: this.#planted(gatedDisk(this.disk.mount(), gate), clock),
      clock,
      logger: this.#logger(),
      identity: {
        uuid: this.uuid,
        logIncarnation: this.logIncarnation,
        incarnation: this.#processes,
      },
      replicaSetUuid: this.#world.replicaSetUuid,
      leadership,
      logMode: this.#world.logMode,
      rowDatabase: this.rowDatabase,
      defer: (flush) => void clock.sleep(0).then(flush),
      limits: this.#world.limits,
      instances: () => this.#instances(),
      fatal: (error) => {
        if (!gate.isDead) this.#world.onEnd(this, error);
      },
      ...(required === undefined ? {} : { required }),
    });
    leadership.seenTerm = () => storage.report().seenTerm;
    await storage.open();
    this.storage = storage;
    storage.onWritableChange((isWritable) => this.#world.onWritable(this, isWritable));
    this.#world.stream.follow(this.uuid, storage, clock);
    network.listen(this.uuid, gatedHandlers(storage.handlers(), gate));
    const replication = new ReplicationService({
      storage,
      leadership,
      peers: this.#plantedPeers(gatedPeers(network.peersFor(this.uuid), gate)),
      clock,
      logger: silentLogger,
      addressOf: (uuid) => uuid,
    });
    this.replication = replication;
    watch(leadership.run(), onViolation);
    watch(replication.run(this.#stop.signal), (text) => {
      // The loop of a process that has ended itself ends with it.
      if (!gate.isDead) onViolation(text);
    });
  }

  pause(): void {
    this.#gate.pause();
  }

  resume(): void {
    this.#gate.resume();
  }

  /** kill -9: what was written stays. */
  kill(): void {
    this.disk.unmount();
    this.#end();
  }

  destroy(): void {
    this.isDestroyed = true;
    this.kill();
  }

  /** The machine reboots: what was not synced may be gone, and with it the seat. */
  reboot(): void {
    this.disk.crash();
    this.rowDatabase.crash();
    this.#end();
    const { logMode, bug } = this.#world;
    if (logMode === 'write' && bug !== 'term-continued') this.logIncarnation++;
  }

  #end(): void {
    this.#world.network.close(this.uuid);
    this.#gate.kill();
    this.storage = undefined;
    this.replication = undefined;
  }

  #instances(): readonly string[] {
    const { bug, instances } = this.#world;
    return bug === 'acknowledged-by-a-minority' ? [this.uuid] : instances;
  }

  #processName(): string {
    return this.#world.bug === 'term-continued' ? this.uuid : `${this.uuid}#${this.#processes}`;
  }

  #planted(disk: Disk, clock: Clock): Disk {
    switch (this.#world.bug) {
      case 'acknowledged-before-the-log':
        return lateLog(disk, clock);
      case 'cut-rows-not-kept':
        return cutRowsNotKept(disk);
      case 'segment-reused':
        return reusedSegment(disk);
      case 'snapshot-before-its-end':
        return neverSynced(disk);
      case 'position-before-the-promise':
        return latePromise(disk, clock);
      default:
        return disk;
    }
  }

  #plantedPeers(peers: Peers): Peers {
    const { bug, random } = this.#world;
    if (bug === 'lower-term-rows') return lowerTermRows(peers, random);
    return bug === 'join-misses-rows' ? joinAtTheEnd(peers) : peers;
  }

  #logger(): Logger {
    const tell = (_fields: unknown, message: string): void => this.#world.onLog(message);
    return { ...silentLogger, info: tell, warn: tell, child: () => this.#logger() };
  }
}

function watch(running: Promise<void>, onViolation: (text: string) => void): void {
  running.catch((error: unknown) => onViolation(`a loop ended: ${String(error)}`));
}
