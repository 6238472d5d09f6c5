/**
 * What must hold after every step of a config simulation, seen from outside:
 *
 * 1. No two instances ever have different configs of one version.
 * 2. A committed change has its decision in the provider, where there is one.
 * 3. A lock goes only when the outcome is settled: stored in the provider, or the same for all participants.
 * 4. Nobody locks a change that it knows to be aborted.
 */
import type { ClusterConfig } from '../../../runtime/src/contract/cluster-config.ts';
import { decisionSchema, providerKeys } from '../../../runtime/src/contract/provider-records.ts';
import type { ConfigService } from '../../../runtime/src/services/config-service.ts';
import type { ConfigWorld, SimulatedInstance } from './config-world.ts';

interface Seen {
  readonly lockedChangeId: string | undefined;
  readonly aborted: ReadonlySet<string>;
  readonly decisionCount: number;
}

type Outcome = 'commit' | 'abort';

export class ConfigChecker {
  readonly violations: string[] = [];
  readonly #world: ConfigWorld;
  readonly #hasProvider: boolean;
  readonly #configs = new Map<number, string>();
  readonly #outcomes = new Map<string, { readonly outcome: Outcome; readonly by: string }>();
  readonly #seen = new Map<string, Seen>();

  constructor(world: ConfigWorld, hasProvider: boolean) {
    this.#world = world;
    this.#hasProvider = hasProvider;
  }

  check(): void {
    for (const instance of this.#world.instances) {
      if (instance.service !== undefined) this.#checkInstance(instance, instance.service);
    }
  }

  /** Of the config of the highest version seen. */
  get newestVersion(): number {
    return Math.max(0, ...this.#configs.keys());
  }

  #checkInstance(instance: SimulatedInstance, service: ConfigService): void {
    const { active } = service;
    const lockedChangeId = service.lock?.change.changeId;
    const before = this.#seen.get(instance.uuid);
    if (active !== undefined) this.#checkActive(instance, active);
    if (before !== undefined && before.lockedChangeId !== lockedChangeId) {
      this.#checkLock(instance, before, lockedChangeId);
    }
    this.#remember(instance, lockedChangeId);
  }

  #checkActive(instance: SimulatedInstance, active: ClusterConfig): void {
    const { version, checksum, changeId } = active.meta;
    this.#checkSame(instance, version, `${checksum}/${changeId}`);
    this.#settle(changeId, 'commit', instance);
  }

  #checkLock(instance: SimulatedInstance, before: Seen, lockedChangeId: string | undefined): void {
    if (before.lockedChangeId !== undefined) {
      const isCommitted = instance.service?.active?.meta.changeId === before.lockedChangeId;
      this.#settle(before.lockedChangeId, isCommitted ? 'commit' : 'abort', instance);
    }
    if (lockedChangeId !== undefined && before.aborted.has(lockedChangeId)) {
      this.#violate(
        `${instance.name} locked ${short(lockedChangeId)}, which it knew to be aborted`,
      );
    }
  }

  #remember(instance: SimulatedInstance, lockedChangeId: string | undefined): void {
    const before = this.#seen.get(instance.uuid);
    const decisions = instance.service?.decisions ?? [];
    const isUnchanged = before?.decisionCount === decisions.length;
    const aborted = isUnchanged
      ? before.aborted
      : new Set(decisions.filter((one) => one.decision === 'abort').map((one) => one.changeId));
    this.#seen.set(instance.uuid, { lockedChangeId, aborted, decisionCount: decisions.length });
    if (isUnchanged) return;
    for (const { changeId, decision } of decisions) this.#settle(changeId, decision, instance);
  }

  #checkSame(instance: SimulatedInstance, version: number, content: string): void {
    const known = this.#configs.get(version);
    if (known === undefined) this.#configs.set(version, content);
    else if (known !== content) {
      this.#violate(`${instance.name} has another config of version ${version} than the others`);
    }
  }

  #settle(changeId: string, outcome: Outcome, instance: SimulatedInstance): void {
    const known = this.#outcomes.get(changeId);
    if (known?.outcome === outcome) return;
    if (known !== undefined) {
      this.#violate(
        `${instance.name} took ${outcome} for ${short(changeId)}, and ${known.by} took ${known.outcome}`,
      );
      return;
    }
    this.#outcomes.set(changeId, { outcome, by: instance.name });
    if (this.#hasProvider) this.#checkStored(changeId, outcome, instance);
  }

  #checkStored(changeId: string, outcome: Outcome, instance: SimulatedInstance): void {
    const stored = this.#storedDecision(changeId);
    if (stored === outcome) return;
    // An instance without a config knows no provider: it may refuse what it has never prepared.
    const isOwnRefusal =
      stored === undefined && outcome === 'abort' && instance.service?.active === undefined;
    const wasLocked = this.#seen.get(instance.uuid)?.lockedChangeId === changeId;
    if (isOwnRefusal && !wasLocked) return;
    const found = stored ?? 'no decision';
    this.#violate(
      `${instance.name} took ${outcome} for ${short(changeId)}, and the provider has ${found}`,
    );
  }

  #storedDecision(changeId: string): Outcome | undefined {
    const key = this.#world.providerConfig.prefix + providerKeys.decision(changeId);
    const entry = this.#world.store.get(key);
    return entry === undefined ? undefined : decisionSchema.parse(JSON.parse(entry.value)).decision;
  }

  #violate(message: string): void {
    this.violations.push(`${Math.round(this.#world.clock.monotonicMs())} ms: ${message}`);
  }
}

export function short(changeId: string): string {
  return changeId.slice(0, 8);
}
