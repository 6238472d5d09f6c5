/**
 * The cluster config of this instance: serves it, changes it, and keeps it up with the others.
 *
 * A change is driven by the coordinator machine here or elsewhere and reaches this instance through `handlers()`. Two
 * loops need nobody: the resolver settles a lock that its coordinator has forgotten, and the catch-up fetches a config
 * that was committed without this instance. Neither concludes anything from a provider or a peer that does not answer.
 */
import type { z } from 'zod';
import { brokenRule } from '../contract/broken-rule.ts';
import type {
  ClusterConfig,
  ConfigVersion,
  StateProviderConfig,
} from '../contract/cluster-config.ts';
import type { Issue } from '../contract/instance-status.ts';
import {
  type ConfigPatch,
  configPatchSchema,
  finishRequestSchema,
  prepareRequestSchema,
  type Refusal,
} from '../contract/two-phase.ts';
import { versionOf } from '../core/config/apply-patch.ts';
import type { KnownDecision } from '../core/config/decisions.ts';
import type { Lock, ParticipantOutcome } from '../core/config/participant-state.ts';
import { type ParticipantRules, SAFE_RULES } from '../core/config/participant-state.ts';
import { planChange } from '../core/config/plan-change.ts';
import { stateProviderOf } from '../core/config/read-sections.ts';
import { ClusterError, isErrorCode } from '../core/errors.ts';
import { refusalOfIssues, validateConfig } from '../core/topology/validate-config.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Random } from '../foundation/random.ts';
import type { TaskRegistry } from '../foundation/task-registry.ts';
import type { Disk } from '../ports/disk.ts';
import type { InternalHandlers, Peers } from '../ports/peers.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { ConfigCatchUp } from './config-catch-up.ts';
import { runTwoPhase } from './config-coordinator.ts';
import { ConfigDecisions } from './config-decisions.ts';
import { ConfigParticipant } from './config-participant.ts';
import { ConfigResolver } from './config-resolver.ts';
import { ConfigStore } from './config-store.ts';

export interface ConfigHooks {
  /** Is the instance in a state that may take part in a change (2PC-06)? */
  mayPrepare(): Refusal | undefined;
  /** The roles' verdict; a throw refuses as well. */
  validate(next: ClusterConfig, previous: ClusterConfig | undefined): Promise<Refusal | undefined>;
  /** Applies a config that is active already. Called in order, one at a time; not part of the commit's answer. */
  onCommitted(next: ClusterConfig, previous: ClusterConfig | undefined): Promise<void>;
  openProvider(config: StateProviderConfig): StateProvider;
  /** Roles of the application, for the rule that refuses unknown ones. */
  knownRoles?(): readonly string[];
  storesBuckets?(roles: readonly string[]): boolean;
}

export interface ConfigTimings {
  readonly prepareTimeoutMs: number;
  readonly finishTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly providerTimeoutMs: number;
  /** How long a lock is held with nobody asking before this instance settles it. */
  readonly resolveAfterMs: number;
  readonly catchUpEveryMs: number;
}

export const CONFIG_TIMINGS: ConfigTimings = {
  prepareTimeoutMs: 10_000,
  finishTimeoutMs: 10_000,
  callTimeoutMs: 3000,
  providerTimeoutMs: 2000,
  resolveAfterMs: 15_000,
  catchUpEveryMs: 30_000,
};

export interface ConfigServiceOptions {
  readonly uuid: string;
  readonly clusterUuid: string;
  readonly disk: Disk;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Runs the loops and the sends; close it before the ports. */
  readonly tasks: TaskRegistry;
  readonly hooks: ConfigHooks;
  readonly timings?: ConfigTimings;
  /** Only simulations break them. */
  readonly rules?: ParticipantRules;
}

export interface PatchOptions {
  readonly author: string;
  readonly message: string;
  /** The config that the patch was made from; the present one when left out. */
  readonly base?: ConfigVersion;
  /** UUIDs of instances known to be down, which may be left out. */
  readonly missing?: readonly string[];
}

export interface PatchResult {
  readonly config: ConfigVersion;
  /** UUIDs of participants that have not acknowledged yet; they finish by themselves. */
  readonly lagging: readonly string[];
}

export class ConfigService {
  readonly #options: ConfigServiceOptions;
  readonly #timings: ConfigTimings;
  readonly #store: ConfigStore;
  readonly #participant: ConfigParticipant;
  readonly #resolver: ConfigResolver;
  readonly #catchUp: ConfigCatchUp;
  readonly #providers = new Map<string, StateProvider>();
  readonly #handlers: InternalHandlers;
  #applied: Promise<void> = Promise.resolve();
  #isPatching = false;

  constructor(options: ConfigServiceOptions) {
    this.#options = options;
    this.#timings = options.timings ?? CONFIG_TIMINGS;
    this.#store = new ConfigStore(options.disk);
    this.#participant = new ConfigParticipant({
      self: { uuid: options.uuid, clusterUuid: options.clusterUuid },
      store: this.#store,
      rules: options.rules ?? SAFE_RULES,
      validate: (next, previous) => this.#validate(next, previous),
      decisionsOf: (config) => this.#decisionsOf(config),
      onInstalled: (next, previous) => this.#apply(next, previous),
      onFailure: (error) => options.tasks.run('store the config', () => fail(error)),
    });
    const { clock, random, logger } = options;
    const call = this.#call;
    const common = { uuid: options.uuid, participant: this.#participant, clock, logger, call };
    this.#resolver = new ConfigResolver({
      ...common,
      random,
      afterMs: this.#timings.resolveAfterMs,
    });
    this.#catchUp = new ConfigCatchUp({
      ...common,
      everyMs: this.#timings.catchUpEveryMs,
      decisionsOf: (config) => this.#decisionsOf(config),
    });
    this.#handlers = new Map([
      ['twophase.prepare', (body: unknown) => this.#onPrepare(body)],
      ['twophase.commit', (body: unknown) => this.#onFinish('commit', body)],
      ['twophase.abort', (body: unknown) => this.#onFinish('abort', body)],
      ['twophase.state', (body: unknown) => this.#onState(body)],
      ['config.get', () => this.#onGet()],
    ]);
  }

  /** Reads the disk and starts the loops. The active config is not applied: whoever opens does that. */
  async open(): Promise<void> {
    await this.#participant.load();
    this.#options.tasks.run('resolve config locks', (signal) => this.#resolver.run(signal));
    this.#options.tasks.run('catch up with the config', (signal) => this.#catchUp.run(signal));
  }

  /** After its task registry was closed. */
  async close(): Promise<void> {
    for (const provider of this.#providers.values()) await provider.close();
    this.#providers.clear();
  }

  get active(): ClusterConfig | undefined {
    return this.#participant.isLoaded ? this.#participant.state.active : undefined;
  }

  get lock(): Lock | undefined {
    return this.#participant.isLoaded ? this.#participant.state.lock : undefined;
  }

  /** What became of the last changes that this instance has heard of, oldest first. */
  get decisions(): readonly KnownDecision[] {
    return this.#participant.state.decisions;
  }

  handlers(): InternalHandlers {
    return this.#handlers;
  }

  /** The last configs with author, time and message, newest first. */
  history(): Promise<readonly ClusterConfig[]> {
    return this.#store.history();
  }

  /** Resolves when every config that is active by now has been applied; failures are those of `onCommitted`. */
  applied(): Promise<void> {
    return this.#applied;
  }

  issues(): readonly Issue[] {
    return [...this.#resolver.issues(), ...this.#catchUp.issues()];
  }

  /** Changes the config of all instances, or of none (2PC-01). Throws a `ClusterError` that says why not. */
  async patch(patch: ConfigPatch, options: PatchOptions): Promise<PatchResult> {
    if (this.#isPatching) {
      throw new ClusterError('CONFIG_LOCKED', {
        message:
          'This instance coordinates another change of the cluster config. Try again when it has ended.',
      });
    }
    this.#isPatching = true;
    try {
      return await this.#change(parseBody(configPatchSchema, patch), options);
    } finally {
      this.#isPatching = false;
    }
  }

  async #change(patch: ConfigPatch, options: PatchOptions): Promise<PatchResult> {
    const { clock, random, logger, tasks, uuid, clusterUuid } = this.#options;
    const planned = planChange({
      clusterUuid,
      active: this.active,
      base: options.base,
      patch,
      author: options.author,
      message: options.message,
      time: clock.wallTime().toISOString(),
      missing: options.missing ?? [],
      coordinator: uuid,
      self: uuid,
      attempt: random.uuid(),
      storesBuckets: this.#options.hooks.storesBuckets?.bind(this.#options.hooks),
    });
    if (planned.kind === 'refused') throw toError(planned.refusal);
    if (planned.kind === 'unchanged') return { config: versionOf(planned.config), lagging: [] };

    const { request } = planned;
    const { changeId } = request.change;
    const outcome = await runTwoPhase(request, {
      clock,
      tasks,
      call: this.#call,
      prepareTimeoutMs: this.#timings.prepareTimeoutMs,
      finishTimeoutMs: this.#timings.finishTimeoutMs,
    });
    if (outcome.phase === 'committed') {
      logger.info(
        { changeId, version: request.result.version, lagging: outcome.lagging },
        'a config change was committed',
      );
      return { config: request.result, lagging: outcome.lagging };
    }
    logger.warn(
      { changeId, phase: outcome.phase, refusal: outcome.refusal },
      'a config change failed',
    );
    throw toError(outcome.refusal);
  }

  /** Own handlers are called directly: the answer to oneself is never lost. */
  readonly #call = async (
    to: { readonly uuid: string; readonly httpUri: string },
    method: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<unknown> => {
    if (to.uuid === this.#options.uuid) {
      const handler = this.#handlers.get(method);
      return handler?.(body);
    }
    const { callTimeoutMs: timeoutMs } = this.#timings;
    return this.#options.peers.call(to.httpUri, method, body, { timeoutMs, signal });
  };

  async #onPrepare(body: unknown): Promise<unknown> {
    const request = parseBody(prepareRequestSchema, body);
    this.#resolver.heard(request.change.changeId);
    const outcome = await this.#participant.request({ kind: 'prepare', request });
    if (outcome.kind === 'prepare-answer') return outcome.answer;
    throw this.#undecided(outcome);
  }

  async #onFinish(kind: 'commit' | 'abort', body: unknown): Promise<unknown> {
    const { changeId, reason } = parseBody(finishRequestSchema, body);
    this.#resolver.heard(changeId);
    const outcome = await this.#participant.request({ kind, changeId, reason });
    if (outcome.kind !== 'state') throw this.#undecided(outcome);
    if (outcome.look) {
      this.#resolver.lookSoon(changeId);
      this.#catchUp.lookSoon();
    }
    return outcome.state;
  }

  async #onState(body: unknown): Promise<unknown> {
    return this.#participant.changeState(parseBody(finishRequestSchema, body).changeId);
  }

  async #onGet(): Promise<unknown> {
    if (this.active === undefined) throw new ClusterError('CONFIG_MISSING');
    return this.active;
  }

  #undecided(outcome: ParticipantOutcome): ClusterError {
    const reason = outcome.kind === 'failed' ? outcome.reason : 'unexpected outcome';
    return new ClusterError('PROVIDER_UNAVAILABLE', { message: `Nothing was decided: ${reason}.` });
  }

  async #validate(
    next: ClusterConfig,
    previous: ClusterConfig | undefined,
  ): Promise<Refusal | undefined> {
    const { hooks, uuid } = this.#options;
    const issues = validateConfig(next.sections, {
      previous,
      knownRoles: hooks.knownRoles?.(),
      storesBuckets: hooks.storesBuckets?.bind(hooks),
      // One that takes part without staying is being expelled by the others, and may know it.
      self: previous === undefined ? uuid : undefined,
    });
    return hooks.mayPrepare() ?? refusalOfIssues(issues) ?? (await hooks.validate(next, previous));
  }

  #decisionsOf(config: ClusterConfig): ConfigDecisions | undefined {
    const wanted = stateProviderOf(config);
    if (wanted === undefined) return undefined;
    const key = JSON.stringify(wanted);
    const provider = this.#providers.get(key) ?? this.#options.hooks.openProvider(wanted);
    this.#providers.set(key, provider);
    const { providerTimeoutMs: timeoutMs } = this.#timings;
    return new ConfigDecisions(provider, { by: this.#options.uuid, timeoutMs });
  }

  #apply(next: ClusterConfig, previous: ClusterConfig | undefined): void {
    const applying = this.#applied.then(() => this.#options.hooks.onCommitted(next, previous));
    this.#applied = applying;
    this.#options.tasks.run('apply the config', () => applying);
  }
}

function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  throw new ClusterError('REQUEST_INVALID', {
    message: `The request is not valid: ${field}: ${brokenRule(issue)}`,
    field,
  });
}

function toError(refusal: Refusal): ClusterError {
  const code = isErrorCode(refusal.code) ? refusal.code : 'CONFIG_INVALID';
  const { message, field } = refusal;
  return new ClusterError(code, field === undefined ? { message } : { message, field });
}

async function fail(error: unknown): Promise<never> {
  throw error;
}
