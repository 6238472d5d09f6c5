/**
 * Two-phase change of the cluster config, as one participant sees it.
 *
 *     unlocked ── prepare: validate, store the lock, read the decision ──▶ locked
 *     locked ── the decision `commit` is read ──▶ install ──▶ unlocked, with the next config
 *     locked ── the decision `abort` is read ──▶ remember it, release ──▶ unlocked, with the same config
 *
 * What makes it safe:
 * 1. The lock is durable before `prepared` is answered, and one change holds it at a time.
 * 2. Absence of a decision is no decision. The lock is released only for one that was read: from the provider, where it
 *    is written once, or proven by what all participants say (`decisions.ts`).
 * 3. `commit` is stored before it is installed, and installed before it is acknowledged.
 * 4. An abort is remembered: a `prepare` that arrives later finds it and takes no lock.
 *
 * Sans-I/O: `stepParticipant` takes one event and returns the one effect to carry out next, whose outcome is the next
 * event, until the effect is `done`. One request at a time; the caller queues the others.
 */
import type { ClusterConfig } from '../../contract/cluster-config.ts';
import type {
  ChangeState,
  PrepareAnswer,
  PrepareRequest,
  Refusal,
} from '../../contract/two-phase.ts';
import { assert, unreachable } from '../../foundation/assert.ts';
import { versionOf } from './apply-patch.ts';
import { type KnownDecision, rememberDecision, resolveByParticipants } from './decisions.ts';
import {
  type Holdings,
  type Lock,
  type ParticipantEffect,
  type ParticipantEvent,
  type ParticipantOutcome,
  type ParticipantRequest,
  type ParticipantRules,
  type ParticipantState,
  type ParticipantStep,
  SAFE_RULES,
} from './participant-state.ts';
import { planPrepare, refuseAuthority } from './plan-prepare.ts';
import { stateProviderOf } from './read-sections.ts';

export function startParticipant(
  self: ParticipantState['self'],
  holdings: Holdings,
  rules: ParticipantRules = SAFE_RULES,
): ParticipantState {
  return { self, ...holdings, rules, task: undefined };
}

/** What became of a change here. */
export function changeState(state: ParticipantState, changeId: string): ChangeState {
  const config = versionOf(state.active);
  const known = knownDecision(state, changeId);
  if (known !== undefined) {
    const outcome = known.decision === 'commit' ? 'committed' : 'aborted';
    return { changeId, state: outcome, reason: known.reason, config };
  }
  const isLocked = state.lock?.change.changeId === changeId;
  return { changeId, state: isLocked ? 'prepared' : 'unknown', reason: '', config };
}

export function stepParticipant(state: ParticipantState, event: ParticipantEvent): ParticipantStep {
  switch (event.kind) {
    case 'validated':
      return onValidated(state, event.refusal);
    case 'lock-stored':
      return onLockStored(state);
    case 'decision-read':
      return onDecisionRead(state, event);
    case 'decision-failed':
      return done(state, { kind: 'failed', reason: event.reason });
    case 'remembered':
      return onRemembered(state);
    case 'installed':
      return onInstalled(state);
    case 'released':
      return onReleased(state);
    default:
      assert(state.task === undefined, 'a participant handles one request at a time');
      return onRequest(state, event);
  }
}

function onRequest(state: ParticipantState, event: ParticipantRequest): ParticipantStep {
  switch (event.kind) {
    case 'prepare':
      return onPrepare(state, event.request);
    case 'commit':
      return onCommit(state, event.changeId, event.reason);
    case 'abort':
      return onAbort(state, event.changeId, event.reason);
    case 'resolve':
      return onResolve(state, event);
    case 'catch-up':
      return onCatchUp(state, event.config);
    default:
      return unreachable(event);
  }
}

function onPrepare(state: ParticipantState, request: PrepareRequest): ParticipantStep {
  const { changeId } = request.change;
  const known = knownDecision(state, changeId);
  if (known !== undefined && state.rules.refuseLatePrepare) {
    return prepareAnswer(state, { kind: 'decided', decision: known.decision });
  }
  const plan = planPrepare(state, request);
  switch (plan.kind) {
    case 'answer':
      return prepareAnswer(state, plan.answer);
    case 'locked-already':
      return readAfterLock(state, plan.lock);
    case 'validate':
      return {
        state: { ...state, task: { kind: 'validating', lock: plan.lock } },
        effect: { kind: 'validate', next: plan.lock.next, previous: state.active },
      };
    default:
      return unreachable(plan);
  }
}

function onValidated(state: ParticipantState, refusal: Refusal | undefined): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'validating', 'nothing was being validated');
  const reason = refusal ?? refuseAuthority(state.active, task.lock);
  if (reason !== undefined) return prepareAnswer(state, { kind: 'refused', refusal: reason });
  return {
    state: { ...state, task: { kind: 'storing-lock', lock: task.lock } },
    effect: { kind: 'store-lock', lock: task.lock },
  };
}

function onLockStored(state: ParticipantState): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'storing-lock', 'no lock was being stored');
  return readAfterLock({ ...state, lock: task.lock }, task.lock);
}

/** Only now: a decision that is not there yet will be met by the lock, one that is there is seen. */
function readAfterLock(state: ParticipantState, lock: Lock): ParticipantStep {
  if (lock.change.authority === 'participants' || !state.rules.refuseLatePrepare) {
    return prepareAnswer(state, { kind: 'prepared' });
  }
  const { changeId } = lock.change;
  return {
    state: { ...state, task: { kind: 'deciding', changeId, forPrepare: true } },
    effect: { kind: 'read-decision', changeId },
  };
}

function onCommit(state: ParticipantState, changeId: string, reason: string): ParticipantStep {
  const known = knownDecision(state, changeId);
  if (known !== undefined) return stateAnswer(state, changeId);
  const lock = lockOf(state, changeId);
  if (lock === undefined) {
    // Never prepared here: this instance may not decide, only learn.
    return providerIsKnown(state)
      ? ask(state, { kind: 'read-decision', changeId })
      : stateAnswer(state, changeId);
  }
  // Without a provider the coordinator's word is enough: it saw that all participants prepared.
  if (lock.change.authority === 'participants') return install(state, lock, reason);
  if (!state.rules.storeBeforeInstall) {
    const step = install(state, lock, reason);
    const { task } = step.state;
    assert(task?.kind === 'installing', 'an installation began');
    return { ...step, state: { ...step.state, task: { ...task, decideAfter: true } } };
  }
  return ask(state, { kind: 'decide', changeId, wish: 'commit', reason });
}

function onAbort(state: ParticipantState, changeId: string, reason: string): ParticipantStep {
  if (knownDecision(state, changeId) !== undefined) return stateAnswer(state, changeId);
  const lock = lockOf(state, changeId);
  // Having prepared it may not refuse any more: the others must be asked.
  if (lock?.change.authority === 'participants') return stateAnswer(state, changeId, true);
  if (providerIsKnown(state))
    return ask(state, { kind: 'decide', changeId, wish: 'abort', reason });
  return remember(state, { changeId, decision: 'abort', reason }, false);
}

function onResolve(
  state: ParticipantState,
  event: Extract<ParticipantRequest, { kind: 'resolve' }>,
): ParticipantStep {
  const { changeId } = event;
  const lock = lockOf(state, changeId);
  if (lock === undefined) return stateAnswer(state, changeId);
  if (!state.rules.keepLockWhileUndecided) return release(state, changeId, false);
  if (lock.change.authority === 'provider') {
    const reason = 'nobody has finished it in time';
    return ask(state, { kind: 'decide', changeId, wish: 'abort', reason });
  }
  const resolution = resolveByParticipants(event.views);
  if (resolution.kind === 'stay') return done(state, { kind: 'failed', reason: resolution.reason });
  if (resolution.decision === 'commit') return install(state, lock, resolution.reason);
  return remember(state, { changeId, decision: 'abort', reason: resolution.reason }, false);
}

function onCatchUp(state: ParticipantState, config: ClusterConfig): ParticipantStep {
  const isNewer = config.meta.version > versionOf(state.active).version;
  const isOurs = config.meta.clusterUuid === state.self.clusterUuid;
  // A held lock is settled first: its change may be the very one that made this config.
  if (!isNewer || !isOurs || state.lock !== undefined) {
    return stateAnswer(state, config.meta.changeId);
  }
  return {
    state: {
      ...state,
      task: {
        kind: 'installing',
        config,
        from: 'peer',
        reason: 'caught up with the other instances',
        forPrepare: false,
      },
    },
    effect: { kind: 'install', from: 'peer', config },
  };
}

function onDecisionRead(
  state: ParticipantState,
  event: Extract<ParticipantEvent, { kind: 'decision-read' }>,
): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'deciding', 'no decision was asked for');
  const { changeId, forPrepare } = task;
  if (task.installedAlready === true) return stateAnswer(state, changeId);
  const lock = lockOf(state, changeId);
  if (event.decision === 'none') {
    return forPrepare ? prepareAnswer(state, { kind: 'prepared' }) : stateAnswer(state, changeId);
  }
  if (event.decision === 'abort') {
    return remember(state, { changeId, decision: 'abort', reason: event.reason }, forPrepare);
  }
  if (lock !== undefined) return install(state, lock, event.reason, forPrepare);
  // Committed by others without this instance, which fetches the config from them.
  const config = versionOf(state.active);
  return done(state, {
    kind: 'state',
    state: { changeId, state: 'committed', reason: event.reason, config },
    look: true,
  });
}

function onRemembered(state: ParticipantState): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'remembering', 'nothing was being remembered');
  const { decision, forPrepare } = task;
  const next = { ...state, decisions: task.decisions };
  // Remembered before it is released: a crash in between leaves a lock whose decision is known.
  if (decision.decision === 'abort' && lockOf(state, decision.changeId) !== undefined) {
    return release(next, decision.changeId, forPrepare);
  }
  return answerDecision(next, decision.changeId, forPrepare);
}

function onInstalled(state: ParticipantState): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'installing', 'nothing was being installed');
  const { config, forPrepare, reason } = task;
  const lock = task.from === 'lock' ? undefined : state.lock;
  const next = { ...state, active: config, lock };
  const { changeId } = config.meta;
  if (task.decideAfter === true) {
    return {
      state: { ...next, task: { kind: 'deciding', changeId, forPrepare, installedAlready: true } },
      effect: { kind: 'decide', changeId, wish: 'commit', reason },
    };
  }
  return remember(next, { changeId, decision: 'commit', reason }, forPrepare);
}

function onReleased(state: ParticipantState): ParticipantStep {
  const { task } = state;
  assert(task?.kind === 'releasing', 'no lock was being released');
  return answerDecision({ ...state, lock: undefined }, task.changeId, task.forPrepare);
}

function ask(
  state: ParticipantState,
  effect: Extract<ParticipantEffect, { kind: 'read-decision' | 'decide' }>,
): ParticipantStep {
  const task = { kind: 'deciding', changeId: effect.changeId, forPrepare: false } as const;
  return { state: { ...state, task }, effect };
}

function install(
  state: ParticipantState,
  lock: Lock,
  reason: string,
  forPrepare = false,
): ParticipantStep {
  return {
    state: {
      ...state,
      task: { kind: 'installing', config: lock.next, from: 'lock', reason, forPrepare },
    },
    effect: { kind: 'install', from: 'lock', config: lock.next },
  };
}

function release(state: ParticipantState, changeId: string, forPrepare: boolean): ParticipantStep {
  return {
    state: { ...state, task: { kind: 'releasing', changeId, forPrepare } },
    effect: { kind: 'release' },
  };
}

function remember(
  state: ParticipantState,
  what: Omit<KnownDecision, 'version'>,
  forPrepare: boolean,
): ParticipantStep {
  const decision = { ...what, version: versionOf(state.active).version };
  const decisions = rememberDecision(state.decisions, decision);
  return {
    state: { ...state, task: { kind: 'remembering', decisions, decision, forPrepare } },
    effect: { kind: 'remember', decisions },
  };
}

function answerDecision(
  state: ParticipantState,
  changeId: string,
  forPrepare: boolean,
): ParticipantStep {
  const known = knownDecision(state, changeId);
  if (!forPrepare) return stateAnswer(state, changeId);
  return prepareAnswer(state, { kind: 'decided', decision: known?.decision ?? 'abort' });
}

function stateAnswer(state: ParticipantState, changeId: string, look = false): ParticipantStep {
  return done(state, { kind: 'state', state: changeState(state, changeId), look });
}

function prepareAnswer(state: ParticipantState, answer: PrepareAnswer): ParticipantStep {
  return done(state, { kind: 'prepare-answer', answer });
}

function done(state: ParticipantState, outcome: ParticipantOutcome): ParticipantStep {
  return { state: { ...state, task: undefined }, effect: { kind: 'done', outcome } };
}

function lockOf(state: ParticipantState, changeId: string): Lock | undefined {
  return state.lock?.change.changeId === changeId ? state.lock : undefined;
}

function knownDecision(state: ParticipantState, changeId: string): KnownDecision | undefined {
  return state.decisions.find((decision) => decision.changeId === changeId);
}

/** An instance without a config, or without a provider in it, has nobody to ask. */
function providerIsKnown(state: ParticipantState): boolean {
  return stateProviderOf(state.lock?.next ?? state.active) !== undefined;
}
