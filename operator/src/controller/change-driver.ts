/**
 * Carries a change of the cluster config through, with the machine that instances use too.
 *
 * It keeps nothing that matters. The name of a change follows from what is wanted, so an operator that was restarted
 * asks the instances for it, and goes on where the one before has stopped. What is remembered here only keeps it from
 * asking too often: how often a wish was aborted, and when it may be tried again.
 */
import {
  isFinished,
  planChange,
  startTwoPhase,
  stepTwoPhase,
  type TwoPhaseEffect,
  type TwoPhaseEvent,
  type TwoPhaseState,
} from '@tonearm/runtime/config';
import type {
  ClusterConfig,
  ConfigPatch,
  PrepareRequest,
  Sections,
} from '@tonearm/runtime/contract';
import type { Clock, Logger } from '@tonearm/runtime/foundation';
import { toJson } from '../core/config-draft.ts';
import { storesBuckets } from '../core/roles.ts';
import type { KnownRole, LastChange } from '../core/snapshot.ts';
import type { ChangeAction } from '../core/verdict.ts';
import { type AdminApi, AdminApiError, type AdminTarget } from '../ports/admin-api.ts';

export interface ChangeDriverOptions {
  readonly admin: AdminApi;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ChangeRequest {
  readonly key: string;
  readonly clusterUuid: string;
  readonly active: ClusterConfig | undefined;
  readonly roles: readonly KnownRole[];
  readonly action: ChangeAction;
}

interface Remembered {
  readonly outcome: LastChange;
  readonly wish: string;
  readonly aborts: number;
  readonly notBeforeMs: number;
}

/** Survives restarts, and is the same for whichever operator leads. */
const COORDINATOR = 'operator';
/** How long instances may take to prepare; then the change is aborted, so that nobody stays locked. */
const PREPARE_MS = 10_000;
/** How long one reconcile spends on a change; the next one goes on with it. */
const BUDGET_MS = 20_000;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 30_000;
/** Each was aborted before; more than this is no accident any more. */
const ATTEMPTS_MAX = 200;

/** Refusals that say nothing about the wish: the same one may be accepted later. */
const TRANSIENT = [
  'CONFIG_ABORTED',
  'CONFIG_LOCKED',
  'CONFIG_STALE_BASE',
  'CONFIG_UNDECIDED',
  'STATE_FORBIDS',
  'PROVIDER_UNAVAILABLE',
];

export class ChangeDriver {
  readonly #options: ChangeDriverOptions;
  readonly #remembered = new Map<string, Remembered>();

  constructor(options: ChangeDriverOptions) {
    this.#options = options;
  }

  lastChange(key: string): LastChange {
    return this.#remembered.get(key)?.outcome ?? { kind: 'none' };
  }

  forget(key: string): void {
    this.#remembered.delete(key);
  }

  async drive(request: ChangeRequest, signal: AbortSignal): Promise<LastChange> {
    const { clock, logger } = this.#options;
    const { wish } = request.action;
    const known = this.#remembered.get(request.key);
    const before = known?.wish === wish ? known : undefined;
    if (before !== undefined && clock.monotonicMs() < before.notBeforeMs) return before.outcome;
    const outcome = await this.#attempt(request, signal);
    const aborts = outcome.kind === 'aborted' ? (before?.aborts ?? 0) + 1 : 0;
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(aborts, 10));
    this.#remembered.set(request.key, {
      outcome,
      wish,
      aborts,
      notBeforeMs: clock.monotonicMs() + (outcome.kind === 'aborted' ? delayMs : 0),
    });
    logger.info({ cluster: request.key, wish, ...outcome }, 'change of the cluster config');
    return outcome;
  }

  /** Tells instances that still hold the lock of a change that it is committed. */
  async finish(targets: readonly AdminTarget[], changeId: string): Promise<void> {
    const { admin, logger } = this.#options;
    for (const target of targets) {
      try {
        await admin.commit(target, { changeId, reason: 'another instance has committed it' });
      } catch (error) {
        if (!(error instanceof AdminApiError)) throw error;
        // It finds the decision by itself, or is told in the next round.
        logger.info({ changeId, address: target.address, error: error.message }, 'commit not told');
      }
    }
  }

  async #attempt(request: ChangeRequest, signal: AbortSignal): Promise<LastChange> {
    const { wish } = request.action;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const planned = planChange(this.#wishOf(request, attempt));
      if (planned.kind === 'unchanged') return { kind: 'committed', wish };
      if (planned.kind === 'refused') return judgeRefusal(wish, planned.refusal);
      if (await this.#wasAborted(request, planned.request)) continue;
      return new ChangeRun(this.#options, request, planned.request).run(signal);
    }
    return { kind: 'aborted', wish, reason: `It was aborted ${ATTEMPTS_MAX} times.` };
  }

  #wishOf(request: ChangeRequest, attempt: number): Parameters<typeof planChange>[0] {
    const { action, active, clusterUuid, roles } = request;
    const wish = {
      clusterUuid,
      active,
      patch: patchBetween(active?.sections ?? {}, action.sections),
      author: COORDINATOR,
      message: action.message,
      time: this.#options.clock.wallTime().toISOString(),
      missing: action.missing,
      coordinator: COORDINATOR,
      attempt: String(attempt),
      storesBuckets: (names: readonly string[]): boolean => storesBuckets(names, roles),
    };
    return wish;
  }

  /** One instance that knows it as aborted is enough: an abort is decided once, for all. */
  async #wasAborted(request: ChangeRequest, prepare: PrepareRequest): Promise<boolean> {
    const { admin } = this.#options;
    const answers = await Promise.allSettled(
      targetsOf(request, prepare).map(([, target]) =>
        admin.changeState(target, prepare.change.changeId),
      ),
    );
    return answers.some(
      (answer) => answer.status === 'fulfilled' && answer.value.state === 'aborted',
    );
  }
}

/** One run of the machine: effects become calls, and their outcomes events. */
class ChangeRun {
  readonly #options: ChangeDriverOptions;
  readonly #wish: string;
  readonly #request: PrepareRequest;
  readonly #targets: ReadonlyMap<string, AdminTarget>;
  readonly #events: TwoPhaseEvent[] = [];
  #wake: () => void = () => undefined;

  constructor(options: ChangeDriverOptions, request: ChangeRequest, prepare: PrepareRequest) {
    this.#options = options;
    this.#wish = request.action.wish;
    this.#request = prepare;
    this.#targets = new Map(targetsOf(request, prepare));
  }

  async run(signal: AbortSignal): Promise<LastChange> {
    const ended = new AbortController();
    const running = AbortSignal.any([signal, ended.signal]);
    const pending = new Set<Promise<void>>();
    const start = (work: Promise<void>): void => {
      const tracked = work.finally(() => pending.delete(tracked));
      pending.add(tracked);
    };
    start(this.#after(PREPARE_MS, { kind: 'deadline' }, running));
    start(this.#after(BUDGET_MS, { kind: 'give-up' }, running));
    let { state, effects } = startTwoPhase(this.#request);
    for (;;) {
      for (const effect of effects) start(this.#send(effect, running));
      if (isFinished(state) || signal.aborted) break;
      const event = await this.#next(signal);
      if (event === undefined) break;
      ({ state, effects } = stepTwoPhase(state, event));
    }
    ended.abort(new Error('the change has ended'));
    await Promise.all(pending);
    return this.#judge(state);
  }

  async #next(signal: AbortSignal): Promise<TwoPhaseEvent | undefined> {
    const stop = (): void => this.#wake();
    signal.addEventListener('abort', stop, { once: true });
    while (this.#events.length === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener('abort', stop);
    return this.#events.shift();
  }

  #emit(event: TwoPhaseEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  async #after(delayMs: number, event: TwoPhaseEvent, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(delayMs, signal);
    } catch {
      return; // The run has ended first.
    }
    this.#emit(event);
  }

  async #send(effect: TwoPhaseEffect, signal: AbortSignal): Promise<void> {
    const { to: from, message } = effect;
    if (effect.delayMs > 0) {
      try {
        await this.#options.clock.sleep(effect.delayMs, signal);
      } catch {
        return; // The run has ended first.
      }
    }
    try {
      this.#emit(await this.#call(effect));
    } catch (error) {
      if (!(error instanceof AdminApiError)) throw error;
      this.#emit({ kind: 'failed', from, message, reason: error.message });
    }
  }

  async #call({ to: from, message }: TwoPhaseEffect): Promise<TwoPhaseEvent> {
    const { admin } = this.#options;
    const target = this.#targets.get(from);
    if (target === undefined) throw new AdminApiError('UNREACHABLE', 'it has no address');
    const { changeId } = this.#request.change;
    switch (message) {
      case 'prepare': {
        const { change, result, patch } = this.#request;
        const answer = await admin.prepare(target, { change, result, patch });
        return { kind: 'prepare-answered', from, answer };
      }
      case 'prepare-full':
        return {
          kind: 'prepare-answered',
          from,
          answer: await admin.prepare(target, this.#request),
        };
      case 'commit':
      case 'abort': {
        const request = { changeId, reason: 'the operator' };
        return { kind: 'finish-answered', from, answer: await admin[message](target, request) };
      }
      default:
        return message satisfies never;
    }
  }

  #judge(state: TwoPhaseState): LastChange {
    const wish = this.#wish;
    if (state.phase === 'committed') return { kind: 'committed', wish };
    if (state.phase === 'aborted') return judgeRefusal(wish, state.refusal);
    const reason =
      state.phase === 'undecided' ? state.refusal.message : 'The operator stopped in the middle.';
    return { kind: 'undecided', wish, reason };
  }
}

function judgeRefusal(
  wish: string,
  refusal: { readonly code: string; readonly message: string },
): LastChange {
  if (TRANSIENT.includes(refusal.code)) return { kind: 'aborted', wish, reason: refusal.message };
  return { kind: 'refused', wish, message: refusal.message };
}

/** Where the pods are now; the config may still name where they were. */
function targetsOf(
  { action, clusterUuid }: ChangeRequest,
  { change }: PrepareRequest,
): readonly (readonly [string, AdminTarget])[] {
  return change.participants.map(({ uuid, httpUri }) => {
    const address = action.targets.find((target) => target.uuid === uuid)?.address ?? httpUri;
    return [uuid, { address, clusterUuid }] as const;
  });
}

/** What turns one set of sections into another; a section that goes is set to null. */
export function patchBetween(from: Sections, to: Sections): ConfigPatch {
  const patch = new Map<string, ConfigPatch[string]>();
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch.set(name, null);
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (before !== undefined && JSON.stringify(toJson(before)) === JSON.stringify(toJson(value))) {
      continue;
    }
    // A text takes the place of a value only when the patch says that the value goes.
    if (typeof value === 'string' && before !== undefined && typeof before !== 'string') {
      patch.set(`${name}.yml`, null);
    }
    patch.set(name, value);
  }
  return Object.fromEntries(patch);
}
