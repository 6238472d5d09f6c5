/** Carries out what the participant machine asks for, one request at a time, against disk, roles and provider. */
import type { ClusterConfig } from '../contract/cluster-config.ts';
import type { ChangeState, Refusal } from '../contract/two-phase.ts';
import { versionOf } from '../core/config/apply-patch.ts';
import { findUnkeepable } from '../core/config/config-files.ts';
import type {
  ParticipantEffect,
  ParticipantEvent,
  ParticipantOutcome,
  ParticipantRequest,
  ParticipantRules,
  ParticipantState,
} from '../core/config/participant-state.ts';
import {
  changeState,
  startParticipant,
  stepParticipant,
} from '../core/config/two-phase-participant.ts';
import { ClusterError } from '../core/errors.ts';
import { assert, unreachable } from '../foundation/assert.ts';
import type { ConfigDecisions } from './config-decisions.ts';
import type { ConfigStore } from './config-store.ts';

export interface ConfigParticipantOptions {
  readonly self: ParticipantState['self'];
  readonly store: ConfigStore;
  readonly rules: ParticipantRules;
  readonly validate: (
    next: ClusterConfig,
    previous: ClusterConfig | undefined,
  ) => Promise<Refusal | undefined>;
  /** Of the provider that a config names; undefined when it names none. */
  readonly decisionsOf: (config: ClusterConfig) => ConfigDecisions | undefined;
  readonly onInstalled: (next: ClusterConfig, previous: ClusterConfig | undefined) => void;
  /** The disk failed: what it holds is not known any more, the instance must stop. */
  readonly onFailure: (error: unknown) => void;
}

type Outcome = Exclude<ParticipantEvent, ParticipantRequest>;
type WriteEffect = Extract<
  ParticipantEffect,
  { kind: 'store-lock' | 'remember' | 'install' | 'release' }
>;

export class ConfigParticipant {
  readonly #options: ConfigParticipantOptions;
  #state: ParticipantState | undefined;
  #failure: { readonly error: unknown } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ConfigParticipantOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const holdings = await this.#options.store.load();
    this.#state = startParticipant(this.#options.self, holdings, this.#options.rules);
  }

  /** False when the files could not be read: the instance then only tells why. */
  get isLoaded(): boolean {
    return this.#state !== undefined;
  }

  get state(): ParticipantState {
    assert(this.#state !== undefined, 'the config was loaded');
    return this.#state;
  }

  changeState(changeId: string): ChangeState {
    return changeState(this.state, changeId);
  }

  /** Queued: one request ends before the next begins. */
  request(request: ParticipantRequest): Promise<ParticipantOutcome> {
    const running = this.#queue.then(() => this.#run(request));
    // Its caller learns of a failure; the next in the queue goes on and finds out by itself.
    this.#queue = running.catch(() => undefined);
    return running;
  }

  async #run(request: ParticipantRequest): Promise<ParticipantOutcome> {
    if (this.#failure !== undefined) {
      throw new ClusterError('STORAGE_FAILED', { cause: this.#failure.error });
    }
    let event: ParticipantEvent = request;
    for (;;) {
      const before = this.state.active;
      const { state, effect } = stepParticipant(this.state, event);
      this.#state = state;
      const { active } = state;
      // Only now: whoever is told reads the config back from here.
      if (active !== undefined && active !== before) this.#options.onInstalled(active, before);
      if (effect.kind === 'done') return effect.outcome;
      event = await this.#performOrForget(effect);
    }
  }

  /** A request that failed has come to its end, and what is stored is as before: the next one finds nobody at work. */
  async #performOrForget(effect: Exclude<ParticipantEffect, { kind: 'done' }>): Promise<Outcome> {
    try {
      return await this.#perform(effect);
    } catch (error) {
      this.#state = { ...this.state, task: undefined };
      throw error;
    }
  }

  async #perform(effect: Exclude<ParticipantEffect, { kind: 'done' }>): Promise<Outcome> {
    switch (effect.kind) {
      case 'validate':
        return { kind: 'validated', refusal: await this.#validate(effect.next, effect.previous) };
      case 'read-decision':
        return this.#decisions().read(effect.changeId);
      case 'decide':
        return this.#decide(effect);
      case 'store-lock':
      case 'remember':
      case 'install':
      case 'release':
        return this.#write(effect);
      default:
        return unreachable(effect);
    }
  }

  async #decide(effect: Extract<ParticipantEffect, { kind: 'decide' }>): Promise<Outcome> {
    const { lock, active } = this.state;
    const isLocked = lock?.change.changeId === effect.changeId;
    return this.#decisions().decide({
      ...effect,
      base: isLocked ? lock.change.base : versionOf(active),
      next: isLocked ? lock.next : undefined,
    });
  }

  async #write(effect: WriteEffect): Promise<Outcome> {
    try {
      return await this.#store(effect);
    } catch (error) {
      // Never retried as if it had worked: the instance stops, and reads its disk again when it starts.
      this.#failure = { error };
      this.#options.onFailure(error);
      throw new ClusterError('STORAGE_FAILED', { cause: error });
    }
  }

  async #store(effect: WriteEffect): Promise<Outcome> {
    const { store } = this.#options;
    switch (effect.kind) {
      case 'store-lock':
        await store.storeLock(effect.lock);
        return { kind: 'lock-stored' };
      case 'remember':
        await store.storeDecisions(effect.decisions);
        return { kind: 'remembered' };
      case 'install':
        if (effect.from === 'lock') await store.installLock(effect.config);
        else await store.installFetched(effect.config);
        return { kind: 'installed' };
      case 'release':
        await store.releaseLock();
        return { kind: 'released' };
      default:
        return unreachable(effect);
    }
  }

  async #validate(
    next: ClusterConfig,
    previous: ClusterConfig | undefined,
  ): Promise<Refusal | undefined> {
    try {
      return refuseUnkeepable(next) ?? (await this.#options.validate(next, previous));
    } catch (error) {
      // A role that throws refuses; the message is for the one who wanted the change.
      const reason = error instanceof Error ? error.message : String(error);
      return { code: 'CONFIG_INVALID', message: `The config could not be validated: ${reason}` };
    }
  }

  #decisions(): ConfigDecisions {
    const { lock, active } = this.state;
    const config = active ?? lock?.next;
    const decisions = config === undefined ? undefined : this.#options.decisionsOf(config);
    assert(decisions !== undefined, 'a change of this authority names its provider');
    return decisions;
  }
}

/** Before anything is stored: a config that does not come back from the disk would be the end of every instance. */
function refuseUnkeepable(next: ClusterConfig): Refusal | undefined {
  const name = findUnkeepable(next);
  if (name === undefined) return undefined;
  return {
    code: 'CONFIG_INVALID',
    field: `sections.${name}`,
    message:
      `Section "${name}" cannot be kept in a file: it holds a text that UTF-8 or YAML cannot ` +
      'carry, such as half of a character or a byte order mark. Take it out.',
  };
}
