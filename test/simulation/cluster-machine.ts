/**
 * One machine with one instance: its disk survives its processes, each of which is the real services of a replica set
 * on simulated ports, wired as `replica-set-services.ts` does it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Topology } from '../../runtime/src/contract/cluster-config.ts';
import type { InstanceStateName } from '../../runtime/src/contract/instance-status.ts';
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { releaseHeld } from '../../runtime/src/launcher/release.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { Membership } from '../../runtime/src/ports/membership.ts';
import type {
  ProviderOutcome,
  ProviderTransaction,
} from '../../runtime/src/ports/state-provider.ts';
import type { LogMode } from '../../runtime/src/services/replica-log.ts';
import type { ReplicaSetStorage } from '../../runtime/src/services/replica-set-storage.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';
import type { SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import {
  type ProviderFaults,
  SimulatedStateProvider,
} from '../../runtime/src/testing/simulated-state-provider.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { ClusterBug } from './cluster-bugs.ts';
import { MachineClock } from './cluster-clock.ts';
import { ClusterProcess } from './cluster-process.ts';
import type { ProviderClient } from './cluster-set.ts';
import type { Gate } from './gate.ts';

export interface ClusterWorld {
  readonly clock: Clock;
  /** The numbers that a machine draws, by its name. */
  readonly randomOf: (name: string) => SeededRandom;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly topology: Topology;
  readonly logMode: LogMode;
  readonly bug: ClusterBug | undefined;
  readonly seatsOf: (replicaSetUuid: string) => readonly Seat[];
  readonly onTransaction: (
    by: ProviderClient,
    transaction: ProviderTransaction,
    outcome: ProviderOutcome,
  ) => void;
  readonly onWritable: (machine: Machine, isWritable: boolean) => void;
  readonly onFatal: (machine: Machine, error: unknown) => void;
  /** What a new process hears of the others; only mode `eventual` asks. */
  readonly membershipFor?: (machine: Machine, gate: Gate) => Membership;
  /** A planted bug stands between leadership and storage. */
  readonly storageFor?: (storage: ReplicaSetStorage) => ReplicaSetStorage;
  /** Leases are renewed in threads, which run on while the main loop stands still. */
  readonly hasThreads?: boolean;
  readonly diskFor?: (disk: Disk) => Disk;
}

export const CALM_PROVIDER: ProviderFaults = {
  reach: 'ok',
  delayMs: 5,
  loseRequest: 0,
  loseReply: 0,
};

const RELEASE_LIMIT_MS = 10_000;

export class Machine {
  readonly uuid: string;
  readonly replicaSetUuid: string;
  readonly disk: SimulatedDisk;
  readonly world: ClusterWorld;
  readonly random: SeededRandom;
  clock: MachineClock;
  process: ClusterProcess | undefined;
  /** What its instance says of itself. */
  state: InstanceStateName = 'RolesConfigured';
  incarnation = 0;
  logIncarnation = 1;
  #clients: SimulatedStateProvider[] = [];
  #providerFaults: ProviderFaults = CALM_PROVIDER;
  #hasCalmProvider = true;
  #providerChangedMs = Number.NEGATIVE_INFINITY;

  constructor(uuid: string, replicaSetUuid: string, world: ClusterWorld) {
    this.uuid = uuid;
    this.replicaSetUuid = replicaSetUuid;
    this.world = world;
    this.random = world.randomOf(this.name);
    this.disk = new SimulatedDisk({ clock: world.clock, random: this.random });
    this.clock = this.#boot();
  }

  /** As `a1`: the first machine of the first set. */
  get name(): string {
    return this.uuid.slice(-2);
  }

  get seat(): Seat {
    return { uuid: this.uuid, incarnation: this.logIncarnation };
  }

  /** Does a process run here, and is it neither paused nor dead? */
  get isRunning(): boolean {
    return this.process?.gate.isOpen === true;
  }

  get reachesProvider(): boolean {
    return this.#providerFaults.reach === 'ok';
  }

  get hasCalmProvider(): boolean {
    return this.#hasCalmProvider;
  }

  /** For how long nothing was wrong between it and the provider. */
  get providerCalmMs(): number {
    return this.hasCalmProvider ? this.world.clock.monotonicMs() - this.#providerChangedMs : 0;
  }

  get isWritable(): boolean {
    return this.isRunning && this.process?.served.isWritable === true;
  }

  async start(): Promise<void> {
    if (this.process !== undefined) return;
    this.incarnation++;
    const process = new ClusterProcess(this);
    this.process = process;
    await process.start();
  }

  /** A client of the state provider, with what is wrong between it and this machine. */
  openProvider(clock: Clock, deliver: () => Promise<void>): SimulatedStateProvider {
    const { store, clock: network, onTransaction, bug } = this.world;
    const by = { uuid: this.uuid, incarnation: this.incarnation };
    const client = new SimulatedStateProvider({
      ...{ store, clock, random: this.random, network, deliver },
      onTransaction: (transaction, outcome) => {
        const pausedMs = this.incarnation === by.incarnation ? (this.process?.pausedMs ?? 0) : 0;
        onTransaction({ ...by, pausedMs }, transaction, outcome);
      },
      ...(bug?.tampered && { tampered: bug.tampered }),
    });
    Object.assign(client.faults, this.#providerFaults);
    this.#clients.push(client);
    return client;
  }

  setProviderFaults(faults: Partial<ProviderFaults>): void {
    this.#providerFaults = { ...CALM_PROVIDER, ...faults };
    this.#hasCalmProvider = isDeepStrictEqual(this.#providerFaults, CALM_PROVIDER);
    this.#providerChangedMs = this.world.clock.monotonicMs();
    for (const client of this.#clients) Object.assign(client.faults, this.#providerFaults);
  }

  breakWatches(): void {
    for (const client of this.#clients) client.breakWatches();
  }

  /** kill -9: what was written stays. The launcher gives back what the process held, if it lives. */
  kill(launcherLives: boolean): void {
    const process = this.#end();
    this.disk.unmount();
    if (process !== undefined && launcherLives) this.#release(process);
  }

  /** The machine reboots: what was not synced may be gone, and with it the seat. */
  reboot(): void {
    this.#end();
    this.disk.crash();
    if (this.world.logMode === 'write') this.logIncarnation++;
    this.clock = this.#boot();
  }

  /** SIGTERM: leadership is given up while peers can catch up, then the process ends. */
  async stop(): Promise<void> {
    const { process } = this;
    if (process === undefined) return;
    await process.close();
    if (this.process === process) this.kill(true);
  }

  #end(): ClusterProcess | undefined {
    const { process } = this;
    this.process = undefined;
    this.#clients = [];
    this.world.network.close(this.uuid);
    process?.kill();
    return process;
  }

  #release({ held }: ClusterProcess): void {
    const { clock } = this.world;
    const provider = this.openProvider(clock, () => Promise.resolve());
    const holder = { provider: null, holder: this.uuid, incarnation: this.incarnation, ...held };
    releaseHeld(holder, { provider, clock, limitMs: RELEASE_LIMIT_MS }).then(
      () => provider.close(),
      (error: unknown) => this.world.onFatal(this, error),
    );
  }

  #boot(): MachineClock {
    const { clock } = this.world;
    const { random } = this;
    // Rates differ by less than the tenth that an observer waits longer.
    const rate = 0.955 + random.fraction() * 0.09;
    return new MachineClock(clock, rate, random.fraction() * 1e6);
  }
}
