/**
 * Rival changes of the cluster config under faults.
 *
 * Safety: instances are killed at any await point and restarted, messages are lost, doubled and late, links are cut,
 * the provider loses replies or is away; after every step the checker looks. Liveness: then all faults end, and within
 * a bound no lock is left, all enabled instances have one config, and one more change succeeds.
 */

import type { ClusterConfig, Topology } from '../../../runtime/src/contract/cluster-config.ts';
import { topologySchema } from '../../../runtime/src/contract/cluster-config.ts';
import type { ConfigPatch } from '../../../runtime/src/contract/two-phase.ts';
import {
  type ParticipantRules,
  SAFE_RULES,
} from '../../../runtime/src/core/config/participant-state.ts';
import { topologyOf, toSection } from '../../../runtime/src/core/config/read-sections.ts';
import { ClusterError } from '../../../runtime/src/core/errors.ts';
import { expelInstance, joinInstance } from '../../../runtime/src/core/topology/edit-topology.ts';
import { CALM_NETWORK } from '../../../runtime/src/testing/simulated-peers.ts';
import type { Scenario, ScenarioRun } from '../scenario.ts';
import { ConfigChecker } from './config-checker.ts';
import { CALM_PROVIDER, ConfigWorld, type SimulatedInstance, uuid } from './config-world.ts';

const CHAOS_MS = 25_000;
const CALM_MS = 35_000;

/** `rules` other than the safe ones plant a bug that the checker must find. */
export function configScenario(rules: ParticipantRules = SAFE_RULES): Scenario {
  return {
    name: 'config',
    run: async (seed) => new ConfigRun(seed, rules).run(),
  };
}

class ConfigRun {
  readonly #world: ConfigWorld;
  readonly #checker: ConfigChecker;
  readonly #hasProvider: boolean;
  readonly #replicaSetUuid: string;
  readonly #restarting = new Set<SimulatedInstance>();
  #isHealed = false;
  readonly #trace: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #intensity: { readonly kills: number; readonly changes: number };

  constructor(seed: number, rules: ParticipantRules) {
    const onFailure = (reason: string): number => this.#checker.violations.push(reason);
    this.#world = new ConfigWorld({ seed, rules, onFailure });
    const { random } = this.#world;
    this.#hasProvider = random.chance(0.65);
    this.#checker = new ConfigChecker(this.#world, this.#hasProvider);
    this.#replicaSetUuid = uuid(random);
    this.#intensity = { kills: random.integer(8), changes: 3 + random.integer(8) };
  }

  async run(): Promise<ScenarioRun> {
    for (const instance of this.#world.instances) this.#start(instance);
    await this.#advance(100);
    if (this.#world.random.chance(0.5)) await this.#bootstrapCalmly();
    this.#spoil();
    this.#schedule();
    await this.#advance(CHAOS_MS);
    this.#heal();
    await this.#advance(CALM_MS);
    await this.#demandConvergence();
    for (const instance of this.#world.instances) instance.kill();
    return { violations: this.#checker.violations, trace: this.#trace, counts: this.#counts };
  }

  async #bootstrapCalmly(): Promise<void> {
    this.#change(this.#pick(), {});
    await this.#advance(2000);
  }

  /** Each run draws its own mix: gentle on one axis, cruel on another. */
  #spoil(): void {
    const { random, network } = this.#world;
    const cruelty = (most: number): number => (random.chance(0.3) ? 0 : random.fraction() * most);
    network.faults = {
      latencyMinMs: 1,
      latencyMaxMs: 2 + cruelty(200),
      lossBefore: cruelty(0.15),
      lossAfter: cruelty(0.15),
      duplicate: cruelty(0.3),
    };
    this.#setProviderFaults({
      reach: 'ok',
      delayMs: 2 + cruelty(50),
      loseRequest: cruelty(0.1),
      loseReply: cruelty(0.2),
    });
  }

  #schedule(): void {
    const { random } = this.#world;
    for (let count = 0; count < this.#intensity.changes; count++) {
      this.#at(random.fraction() * CHAOS_MS * 0.8, () => this.#changeSomething());
    }
    for (let count = 0; count < this.#intensity.kills; count++) {
      this.#at(random.fraction() * CHAOS_MS * 0.9, () => this.#killOne());
    }
    if (random.chance(0.5)) this.#at(random.fraction() * CHAOS_MS, () => this.#cutOne());
    if (random.chance(0.4)) this.#at(random.fraction() * CHAOS_MS, () => this.#loseProvider());
  }

  #changeSomething(): void {
    const { random } = this.#world;
    const coordinator = this.#pick();
    const rival = random.chance(0.4) ? this.#pick() : undefined;
    for (const instance of new Set([coordinator, ...(rival === undefined ? [] : [rival])])) {
      this.#change(instance, this.#choosePatch(instance));
      // Most interesting moments lie within a change.
      if (random.chance(0.3)) instance.process?.killAfterSteps(1 + random.integer(80));
    }
  }

  #choosePatch(instance: SimulatedInstance): ConfigPatch {
    const { random } = this.#world;
    const patch = { setting: { value: random.integer(1_000_000), by: instance.name } };
    const active = instance.service?.active;
    if (active === undefined || random.chance(0.6)) return patch;
    const topology = topologyOf(active);
    const edited = random.chance(0.7)
      ? this.#joinMissing(topology)
      : expelInstance(topology, this.#pick().uuid);
    if (edited === undefined || edited.kind === 'refused') return patch;
    const staying = Object.values(edited.topology.servers).filter((one) => one !== 'expelled');
    return staying.length < 2 ? patch : { ...patch, topology: toSection(edited.topology) };
  }

  #joinMissing(topology: Topology): ReturnType<typeof joinInstance> | undefined {
    const missing = this.#world.instances.find((one) => topology.servers[one.uuid] === undefined);
    return missing === undefined ? undefined : joinInstance(topology, this.#describe(missing));
  }

  #change(instance: SimulatedInstance, patch: ConfigPatch): void {
    const { service } = instance;
    if (service === undefined) return;
    const topology =
      service.active === undefined ? { topology: toSection(this.#firstTopology(instance)) } : {};
    const missing =
      service.active !== undefined && this.#world.random.chance(0.5)
        ? this.#world.instances.filter((one) => !one.isAlive).map((one) => one.uuid)
        : [];
    this.#log(`${instance.name} changes ${Object.keys({ ...topology, ...patch }).join(', ')}`);
    service.patch({ ...topology, ...patch }, { author: instance.name, message: '', missing }).then(
      (result) => this.#count('committed', `${instance.name} committed ${result.config.version}`),
      (error: unknown) => this.#noteFailure(instance, error),
    );
  }

  #noteFailure(instance: SimulatedInstance, error: unknown): void {
    if (error instanceof ClusterError) {
      this.#count(error.code, `${instance.name}: ${error.code} ${error.message}`);
      return;
    }
    this.#checker.violations.push(`${instance.name}: unexpected ${String(error)}`);
  }

  /** One or two instances are left out at first, to join later. */
  #firstTopology(coordinator: SimulatedInstance): Topology {
    const { instances, random } = this.#world;
    const left = random.integer(3);
    const first = instances.filter(
      (instance, index) => instance === coordinator || index < instances.length - left,
    );
    let topology = topologySchema.parse({
      replicasets: { [this.#replicaSetUuid]: { alias: 'one', failover_priority: [] } },
      failover: this.#hasProvider ? { state_provider: this.#world.providerConfig } : {},
    });
    for (const instance of first) {
      const joined = joinInstance(topology, this.#describe(instance));
      if (joined.kind === 'edited') topology = joined.topology;
    }
    return topology;
  }

  #describe(instance: SimulatedInstance): Parameters<typeof joinInstance>[1] {
    return {
      uuid: instance.uuid,
      alias: instance.name,
      uri: `${instance.name}:3301`,
      httpUri: instance.address,
      replicaSetUuid: this.#replicaSetUuid,
    };
  }

  #killOne(): void {
    const { random } = this.#world;
    const victim = this.#pick();
    if (random.chance(0.5)) victim.kill();
    else victim.process?.killAfterSteps(1 + random.integer(40));
    this.#count('kill', `kill ${victim.name}`);
  }

  #cutOne(): void {
    const [a, b] = [this.#pick(), this.#pick()];
    this.#world.network.cut(a.address, b.address);
    this.#log(`cut ${a.name} from ${b.name}`);
    this.#at(this.#world.random.fraction() * 10_000, () => this.#world.network.healCuts());
  }

  #loseProvider(): void {
    const { random } = this.#world;
    const before = this.#world.providerFaults;
    const reach = random.chance(0.5) ? 'refused' : 'silent';
    this.#log(`the provider is ${reach}`);
    this.#setProviderFaults({ ...before, reach });
    this.#at(random.fraction() * 15_000, () => {
      if (!this.#isHealed) this.#setProviderFaults(before);
    });
  }

  #heal(): void {
    this.#log('heal');
    this.#isHealed = true;
    this.#world.network.faults = CALM_NETWORK;
    this.#world.network.healCuts();
    this.#setProviderFaults(CALM_PROVIDER);
    for (const instance of this.#world.instances) {
      instance.process?.killAfterSteps(Number.POSITIVE_INFINITY);
      if (!instance.isAlive) this.#start(instance);
    }
  }

  async #demandConvergence(): Promise<void> {
    for (const instance of this.#world.instances) this.#demandUnlocked(instance);
    const before = this.#checker.newestVersion;
    this.#count(before === 0 ? 'never-bootstrapped' : 'bootstrapped', `version ${before}`);
    const coordinator = this.#enabled()[0] ?? this.#pick();
    this.#change(coordinator, { final: { seed: before } });
    await this.#advance(15_000);
    if (this.#checker.newestVersion <= before) this.#violate('no change succeeds after healing');
    for (const instance of this.#enabled()) {
      this.#demandUnlocked(instance);
      if (instance.service?.active?.meta.version !== this.#checker.newestVersion) {
        this.#violate(`${instance.name} has not caught up`);
      }
    }
  }

  #demandUnlocked(instance: SimulatedInstance): void {
    if (instance.service === undefined) this.#violate(`${instance.name} did not start again`);
    else if (instance.service.lock !== undefined) this.#violate(`${instance.name} is still locked`);
  }

  /** Instances that the newest config has, neither expelled nor disabled. */
  #enabled(): readonly SimulatedInstance[] {
    const newest = this.#world.instances
      .map((instance) => instance.service?.active)
      .filter((config): config is ClusterConfig => config !== undefined)
      .toSorted((a, b) => b.meta.version - a.meta.version)[0];
    const servers = topologyOf(newest).servers;
    return this.#world.instances.filter((instance) => {
      const server = servers[instance.uuid];
      return server !== undefined && server !== 'expelled';
    });
  }

  #start(instance: SimulatedInstance): void {
    // A start that fails is a violation; one that is killed never ends.
    instance.start().catch((error: unknown) => {
      this.#violate(`${instance.name} cannot start: ${String(error)}`);
    });
  }

  #setProviderFaults(faults: ConfigWorld['providerFaults']): void {
    this.#world.providerFaults = faults;
    for (const instance of this.#world.instances) instance.applyProviderFaults(faults);
  }

  #at(delayMs: number, action: () => void): void {
    // The clock runs for the whole run: nothing can make this reject but a bug in `action`.
    this.#world.clock
      .sleep(delayMs)
      .then(action)
      .catch((error: unknown) => {
        this.#violate(`the scenario itself failed: ${String(error)}`);
      });
  }

  /** Lets the world run, checks after every step, and starts again what was killed. */
  async #advance(durationMs: number): Promise<void> {
    const { clock } = this.#world;
    const endMs = clock.monotonicMs() + durationMs;
    this.#at(durationMs, () => undefined);
    while (clock.monotonicMs() < endMs) {
      await clock.next();
      this.#checker.check();
      this.#reviveSome();
    }
  }

  #reviveSome(): void {
    for (const instance of this.#world.instances) {
      if (instance.isAlive || this.#restarting.has(instance)) continue;
      this.#restarting.add(instance);
      this.#at(this.#world.random.fraction() * 6000, () => {
        this.#restarting.delete(instance);
        if (!instance.isAlive) this.#start(instance);
      });
    }
  }

  #pick(): SimulatedInstance {
    return this.#world.random.pick(this.#world.instances);
  }

  #count(name: string, line: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
    this.#log(line);
  }

  #violate(message: string): void {
    this.#checker.violations.push(message);
  }

  #log(line: string): void {
    this.#trace.push(`${String(Math.round(this.#world.clock.monotonicMs())).padStart(7)} ${line}`);
  }
}
