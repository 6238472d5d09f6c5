/**
 * Instances with the real `ConfigService` on simulated ports: clock, network, disks and state provider of one seed.
 * No logic of ours is in here but what starts, kills and connects them.
 */
import type { StateProviderConfig } from '../../../runtime/src/contract/cluster-config.ts';
import type { ParticipantRules } from '../../../runtime/src/core/config/participant-state.ts';
import { silentLogger } from '../../../runtime/src/foundation/logger.ts';
import { TaskRegistry } from '../../../runtime/src/foundation/task-registry.ts';
import { CONFIG_TIMINGS, ConfigService } from '../../../runtime/src/services/config-service.ts';
import { SeededRandom } from '../../../runtime/src/testing/seeded-random.ts';
import { SimulatedClock } from '../../../runtime/src/testing/simulated-clock.ts';
import { SimulatedDisk } from '../../../runtime/src/testing/simulated-disk.ts';
import { SimulatedNetwork } from '../../../runtime/src/testing/simulated-peers.ts';
import {
  type ProviderFaults,
  SimulatedStateProvider,
} from '../../../runtime/src/testing/simulated-state-provider.ts';
import { SimulatedStore } from '../../../runtime/src/testing/simulated-store.ts';
import { SimulatedProcess } from '../simulated-process.ts';

export const CALM_PROVIDER: ProviderFaults = {
  reach: 'ok',
  delayMs: 4,
  loseRequest: 0,
  loseReply: 0,
};

export interface ConfigWorldOptions {
  readonly seed: number;
  readonly rules: ParticipantRules;
  readonly onFailure: (reason: string) => void;
  /** Three to seven, from the seed, when left out. */
  readonly instanceCount?: number;
}

export class ConfigWorld {
  readonly random: SeededRandom;
  readonly clock = new SimulatedClock({ isAlone: true });
  readonly store = new SimulatedStore();
  readonly network: SimulatedNetwork;
  readonly clusterUuid: string;
  readonly instances: readonly SimulatedInstance[];
  readonly rules: ParticipantRules;
  readonly onFailure: (reason: string) => void;
  providerFaults: ProviderFaults = CALM_PROVIDER;

  constructor(options: ConfigWorldOptions) {
    this.random = new SeededRandom(options.seed);
    this.rules = options.rules;
    this.onFailure = options.onFailure;
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.random });
    this.clusterUuid = uuid(this.random);
    const count = options.instanceCount ?? 3 + this.random.integer(5);
    this.instances = Array.from(
      { length: count },
      (_, index) => new SimulatedInstance(this, index),
    );
  }

  get providerConfig(): StateProviderConfig {
    return { kind: 'etcd', endpoints: ['http://etcd:2379'], prefix: '/simulated' };
  }
}

export class SimulatedInstance {
  readonly name: string;
  readonly uuid: string;
  readonly address: string;
  readonly disk: SimulatedDisk;
  process: SimulatedProcess | undefined;
  service: ConfigService | undefined;
  readonly #world: ConfigWorld;
  #providers: SimulatedStateProvider[] = [];

  constructor(world: ConfigWorld, index: number) {
    this.#world = world;
    this.name = `i${index + 1}`;
    this.uuid = uuid(world.random);
    this.address = `${this.name}:8081`;
    this.disk = new SimulatedDisk({ clock: world.clock, random: world.random });
  }

  get isAlive(): boolean {
    return this.process?.isAlive === true;
  }

  /** Resolves when it has opened; never, if it is killed before. */
  async start(): Promise<void> {
    const world = this.#world;
    const process = new SimulatedProcess(() => this.#onKill());
    this.process = process;
    const clock = process.clock(world.clock);
    const tasks = new TaskRegistry(silentLogger, (name, error) => {
      if (process.isAlive) world.onFailure(`${this.name}: task "${name}" failed: ${String(error)}`);
    });
    const service = new ConfigService({
      uuid: this.uuid,
      clusterUuid: world.clusterUuid,
      disk: process.disk(this.disk.mount()),
      peers: process.peers(world.network.peersFor(this.address)),
      clock,
      random: world.random,
      logger: silentLogger,
      tasks,
      hooks: {
        mayPrepare: () => undefined,
        validate: async () => undefined,
        onCommitted: async () => undefined,
        openProvider: () => process.provider(this.#openProvider()),
      },
      timings: {
        ...CONFIG_TIMINGS,
        prepareTimeoutMs: 5000,
        finishTimeoutMs: 5000,
        callTimeoutMs: 1000,
        resolveAfterMs: 8000,
      },
      rules: world.rules,
    });
    await service.open();
    this.service = service;
    world.network.listen(this.address, service.handlers());
  }

  kill(): void {
    this.process?.kill();
  }

  applyProviderFaults(faults: ProviderFaults): void {
    for (const provider of this.#providers) Object.assign(provider.faults, faults);
  }

  #openProvider(): SimulatedStateProvider {
    const { store, clock, random, providerFaults, providerConfig } = this.#world;
    const provider = new SimulatedStateProvider({
      store,
      prefix: providerConfig.prefix,
      clock,
      random,
    });
    Object.assign(provider.faults, providerFaults);
    this.#providers.push(provider);
    return provider;
  }

  #onKill(): void {
    this.#world.network.close(this.address);
    this.service = undefined;
    this.#providers = [];
    if (this.#world.random.chance(0.5)) this.disk.crash();
    else this.disk.unmount();
  }
}

/** A version 4 UUID, so that the contract's schema takes it. */
export function uuid(random: SeededRandom): string {
  const raw = random.uuid();
  return `${raw.slice(0, 14)}4${raw.slice(15, 19)}a${raw.slice(20)}`;
}
