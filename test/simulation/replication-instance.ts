/** One instance of a simulated replica set: the real storage and replication services on simulated ports. */
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import type { RequiredSeats } from '../../runtime/src/core/replication/leader-progress.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { silentLogger } from '../../runtime/src/foundation/logger.ts';
import type { LogMode } from '../../runtime/src/services/replica-log.ts';
import { ReplicationService } from '../../runtime/src/services/replication-service.ts';
import { StorageService } from '../../runtime/src/services/storage-service.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import type { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import { Gate, gatedClock, gatedDisk, gatedHandlers, gatedPeers } from './gate.ts';
import { type LeadershipStore, ModelLeadership } from './replication-leadership.ts';

export interface InstanceWorld {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly store: LeadershipStore;
  readonly replicaSetUuid: string;
  readonly logMode: LogMode;
  readonly required: RequiredSeats | undefined;
  readonly onWritable: (instance: SimulatedInstance, isWritable: boolean) => void;
  readonly onViolation: (text: string) => void;
}

export class SimulatedInstance {
  readonly uuid: string;
  readonly disk: SimulatedDisk;
  logIncarnation = 1;
  storage: StorageService | undefined;
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
    const clock = gatedClock(this.#world.clock, gate);
    const process = `${this.uuid}#${this.#processes}`;
    const leadership = new ModelLeadership(store, this.seat, process, clock);
    const storage = new StorageService({
      disk: gatedDisk(this.disk.mount(), gate),
      clock,
      logger: silentLogger,
      identity: { uuid: this.uuid, logIncarnation: this.logIncarnation },
      replicaSetUuid: this.#world.replicaSetUuid,
      leadership,
      logMode: this.#world.logMode,
      defer: (flush) => void clock.sleep(0).then(flush),
      // Small, so that a run crosses many segments and answers from files as well as from memory.
      limits: { segmentBytes: 2000, recentBytes: 1000, pullBytes: 500 },
      fatal: (error) => {
        if (!gate.isDead) onViolation(`the storage of ${this.uuid} failed: ${String(error)}`);
      },
      ...(required === undefined ? {} : { required }),
    });
    leadership.seenTerm = () => storage.report().seenTerm;
    await storage.open();
    this.storage = storage;
    storage.onWritableChange((isWritable) => this.#world.onWritable(this, isWritable));
    network.listen(this.uuid, gatedHandlers(storage.handlers(), gate));
    const replication = new ReplicationService({
      storage,
      leadership,
      peers: gatedPeers(network.peersFor(this.uuid), gate),
      clock,
      logger: silentLogger,
      addressOf: (uuid) => uuid,
    });
    watch(leadership.run(), onViolation);
    watch(replication.run(this.#stop.signal), onViolation);
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

  /** The machine reboots: what was not synced may be gone, and with it the seat. */
  reboot(): void {
    this.disk.crash();
    this.#end();
    if (this.#world.logMode === 'write') this.logIncarnation++;
  }

  #end(): void {
    this.#world.network.close(this.uuid);
    this.#gate.kill();
    this.storage = undefined;
  }
}

function watch(running: Promise<void>, onViolation: (text: string) => void): void {
  running.catch((error: unknown) => onViolation(`a loop ended: ${String(error)}`));
}
