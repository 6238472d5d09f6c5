/**
 * Two-phase change of the cluster config, as the change coordinator sees it.
 *
 *     preparing ── all prepared ──▶ deciding ── one committed ──▶ committing ── all acked ──▶ committed
 *         │                            │ the decision is abort        ▲   (or given up: some lag)
 *         │                            ▼                              │
 *         └─ a refusal, the deadline ─▶ aborting ─ it was committed ──┘
 *                                          └───── all acked ──▶ aborted (given up with no answer: undecided)
 *
 * What makes it safe: `commit` is sent only after every participant has prepared, and at first to one of them, which
 * stores the decision before it applies and answers. The others hear of a commit only after that answer. An abort is a
 * wish: whoever handles it answers with the decision that was stored, and a commit that came first wins. So this
 * machine remembers nothing that matters: one that is started again with the same change finds the decision and goes on.
 *
 * Sans-I/O: `step` takes one event and returns the effects to carry out, in order. It never waits, never reads a
 * clock, and never throws for what a peer did.
 */
import type {
  ChangeState,
  PrepareAnswer,
  PrepareRequest,
  Refusal,
} from '../../contract/two-phase.ts';
import { unreachable } from '../../foundation/assert.ts';

export type TwoPhaseMessage = 'prepare' | 'prepare-full' | 'commit' | 'abort';

export type TwoPhaseEffect =
  /** Send after `delayMs` (0: at once), and report the answer or the failure as an event. */
  {
    readonly kind: 'send';
    readonly to: string;
    readonly message: TwoPhaseMessage;
    readonly delayMs: number;
  };

export type TwoPhaseEvent =
  | { readonly kind: 'prepare-answered'; readonly from: string; readonly answer: PrepareAnswer }
  /** The answer to a commit or an abort. */
  | { readonly kind: 'finish-answered'; readonly from: string; readonly answer: ChangeState }
  /** A message got no answer, or an error that is not one: it may or may not have arrived. */
  | {
      readonly kind: 'failed';
      readonly from: string;
      readonly message: TwoPhaseMessage;
      readonly reason: string;
    }
  /** Not all have prepared in time. */
  | { readonly kind: 'deadline' }
  /** Nobody waits for the stragglers any more. */
  | { readonly kind: 'give-up' };

export type TwoPhaseState = TwoPhaseCommon &
  (
    | { readonly phase: 'preparing'; readonly prepared: readonly string[] }
    | { readonly phase: 'deciding'; readonly decider: string }
    | { readonly phase: 'committing'; readonly pending: readonly string[] }
    | {
        readonly phase: 'aborting';
        readonly pending: readonly string[];
        readonly refusal: Refusal;
        /** Has anyone read the decision `abort`? */
        readonly decided: boolean;
      }
    | { readonly phase: 'committed'; readonly lagging: readonly string[] }
    | { readonly phase: 'aborted'; readonly refusal: Refusal }
    | { readonly phase: 'undecided'; readonly refusal: Refusal }
  );

interface TwoPhaseCommon {
  readonly request: PrepareRequest;
  /** Failures in a row by participant, for the delay before the next try and for the message at the deadline. */
  readonly failures: Readonly<Record<string, Failure>>;
}

interface Failure {
  readonly count: number;
  readonly reason: string;
}

export interface TwoPhaseStep {
  readonly state: TwoPhaseState;
  readonly effects: readonly TwoPhaseEffect[];
}

type Preparing = Extract<TwoPhaseState, { phase: 'preparing' }>;
type Deciding = Extract<TwoPhaseState, { phase: 'deciding' }>;
type Committing = Extract<TwoPhaseState, { phase: 'committing' }>;
type Aborting = Extract<TwoPhaseState, { phase: 'aborting' }>;

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1000;

/** `request.full` must be given: it is sent to those whose config is not the base. */
export function startTwoPhase(request: PrepareRequest): TwoPhaseStep {
  const state: TwoPhaseState = { phase: 'preparing', request, failures: {}, prepared: [] };
  return { state, effects: sendAll(participantsOf(state), 'prepare') };
}

export type FinishedTwoPhase = Extract<
  TwoPhaseState,
  { phase: 'committed' | 'aborted' | 'undecided' }
>;

export function isFinished(state: TwoPhaseState): state is FinishedTwoPhase {
  return state.phase === 'committed' || state.phase === 'aborted' || state.phase === 'undecided';
}

export function stepTwoPhase(state: TwoPhaseState, event: TwoPhaseEvent): TwoPhaseStep {
  switch (state.phase) {
    case 'preparing':
      return stepPreparing(state, event);
    case 'deciding':
      return stepDeciding(state, event);
    case 'committing':
      return stepCommitting(state, event);
    case 'aborting':
      return stepAborting(state, event);
    case 'committed':
    case 'aborted':
    case 'undecided':
      return ignored(state);
    default:
      return unreachable(state);
  }
}

function stepPreparing(state: Preparing, event: TwoPhaseEvent): TwoPhaseStep {
  switch (event.kind) {
    case 'prepare-answered':
      return stepPrepareAnswer(state, event.from, event.answer);
    case 'failed':
      return event.message === 'prepare' || event.message === 'prepare-full'
        ? retry(state, event)
        : ignored(state);
    case 'deadline':
      return abort(state, missedDeadline(state));
    case 'finish-answered':
    case 'give-up':
      return ignored(state);
    default:
      return unreachable(event);
  }
}

function stepPrepareAnswer(state: Preparing, from: string, answer: PrepareAnswer): TwoPhaseStep {
  switch (answer.kind) {
    case 'prepared': {
      if (state.prepared.includes(from)) return ignored(state);
      const prepared = [...state.prepared, from];
      const all = participantsOf(state);
      if (prepared.length < all.length) return { state: { ...state, prepared }, effects: [] };
      return decide(state, all[0] ?? from);
    }
    case 'base-differs':
      return { state, effects: [send(from, 'prepare-full')] };
    case 'refused':
      return abort(state, answer.refusal);
    case 'decided':
      return answer.decision === 'commit'
        ? commit(state, [])
        : abort(state, abortedRefusal('it had been aborted before'), [from]);
    default:
      return unreachable(answer);
  }
}

/** The decider writes the decision; every participant may be asked to, because it is written once. */
function decide(state: TwoPhaseState, decider: string): TwoPhaseStep {
  return {
    state: { phase: 'deciding', request: state.request, failures: {}, decider },
    effects: [send(decider, 'commit')],
  };
}

function stepDeciding(state: Deciding, event: TwoPhaseEvent): TwoPhaseStep {
  switch (event.kind) {
    case 'finish-answered':
      if (event.answer.state === 'committed') return commit(state, ackedBy(state, event));
      if (event.answer.state === 'aborted') {
        return abort(state, abortedRefusal(event.answer.reason), [event.from]);
      }
      return askNextDecider(state, event.from, `it answered "${event.answer.state}"`);
    case 'failed':
      return event.message === 'commit'
        ? askNextDecider(state, event.from, event.reason)
        : ignored(state);
    case 'prepare-answered':
      // A repeated prepare may find the decision before the decider's answer arrives.
      if (event.answer.kind !== 'decided') return ignored(state);
      return event.answer.decision === 'commit'
        ? commit(state, [])
        : abort(state, abortedRefusal('it had been aborted before'), [event.from]);
    case 'give-up':
      return finish({ ...state, phase: 'undecided', refusal: undecidedRefusal(state) });
    case 'deadline':
      return ignored(state);
    default:
      return unreachable(event);
  }
}

function askNextDecider(state: Deciding, from: string, reason: string): TwoPhaseStep {
  if (from !== state.decider) return ignored(state);
  const all = participantsOf(state);
  const decider = all[(all.indexOf(from) + 1) % all.length] ?? from;
  const failures = countFailure(state, from, reason);
  return {
    state: { ...state, decider, failures },
    effects: [{ ...send(decider, 'commit'), delayMs: retryDelayMs(failures[from]) }],
  };
}

function commit(state: TwoPhaseState, acked: readonly string[]): TwoPhaseStep {
  const pending = participantsOf(state).filter((uuid) => !acked.includes(uuid));
  const { request } = state;
  if (pending.length === 0) {
    return finish({ phase: 'committed', request, failures: {}, lagging: [] });
  }
  return {
    state: { phase: 'committing', request, failures: {}, pending },
    effects: sendAll(pending, 'commit'),
  };
}

function stepCommitting(state: Committing, event: TwoPhaseEvent): TwoPhaseStep {
  if (event.kind === 'give-up') {
    return finish({ ...state, phase: 'committed', lagging: state.pending });
  }
  if (event.kind === 'failed' && event.message === 'commit') return retry(state, event);
  if (event.kind !== 'finish-answered' || !state.pending.includes(event.from)) {
    return ignored(state);
  }
  const acked = ackedBy(state, event);
  if (acked.length === 0) {
    const reason = `it answered "${event.answer.state}"`;
    return retry(state, { from: event.from, message: 'commit', reason });
  }
  const pending = state.pending.filter((uuid) => !acked.includes(uuid));
  if (pending.length > 0) return { state: { ...state, pending }, effects: [] };
  return finish({ ...state, phase: 'committed', lagging: [] });
}

/** Every participant gets the abort, prepared or not: a `prepare` may still be on its way. */
function abort(
  state: TwoPhaseState,
  refusal: Refusal,
  abortedAlready: readonly string[] = [],
): TwoPhaseStep {
  const pending = participantsOf(state).filter((uuid) => !abortedAlready.includes(uuid));
  const { request } = state;
  const decided = abortedAlready.length > 0;
  if (pending.length === 0) return finish({ phase: 'aborted', request, failures: {}, refusal });
  return {
    state: { phase: 'aborting', request, failures: {}, pending, refusal, decided },
    effects: sendAll(pending, 'abort'),
  };
}

function stepAborting(state: Aborting, event: TwoPhaseEvent): TwoPhaseStep {
  if (event.kind === 'give-up') {
    if (state.decided) return finish({ ...state, phase: 'aborted' });
    return finish({ ...state, phase: 'undecided', refusal: unheardAbort(state) });
  }
  if (event.kind === 'prepare-answered' && event.answer.kind === 'decided') {
    return event.answer.decision === 'commit' ? commit(state, []) : ignored(state);
  }
  if (event.kind === 'failed' && event.message === 'abort') return retry(state, event);
  if (event.kind !== 'finish-answered') return ignored(state);
  if (event.answer.state === 'committed') return commit(state, ackedBy(state, event));
  if (event.answer.state !== 'aborted') {
    const reason = `it answered "${event.answer.state}"`;
    return retry(state, { from: event.from, message: 'abort', reason });
  }
  const pending = state.pending.filter((uuid) => uuid !== event.from);
  if (pending.length > 0) return { state: { ...state, pending, decided: true }, effects: [] };
  return finish({ ...state, phase: 'aborted' });
}

/** `committed` says what was decided; the config in the answer says whether that instance has it. */
function ackedBy(
  state: TwoPhaseState,
  event: { readonly from: string; readonly answer: ChangeState },
): readonly string[] {
  return event.answer.config.version >= state.request.result.version ? [event.from] : [];
}

function retry(
  state: Preparing | Committing | Aborting,
  failed: { readonly from: string; readonly message: TwoPhaseMessage; readonly reason: string },
): TwoPhaseStep {
  const failures = countFailure(state, failed.from, failed.reason);
  const delayMs = retryDelayMs(failures[failed.from]);
  return {
    state: { ...state, failures },
    effects: [{ kind: 'send', to: failed.from, message: failed.message, delayMs }],
  };
}

function countFailure(
  state: TwoPhaseState,
  from: string,
  reason: string,
): Readonly<Record<string, Failure>> {
  const count = (state.failures[from]?.count ?? 0) + 1;
  return { ...state.failures, [from]: { count, reason } };
}

function retryDelayMs(failure: Failure | undefined): number {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** ((failure?.count ?? 1) - 1));
}

function missedDeadline(state: Preparing): Refusal {
  const waiting = participantsOf(state)
    .filter((uuid) => !state.prepared.includes(uuid))
    .map((uuid) => `${uuid} (${state.failures[uuid]?.reason ?? 'no answer yet'})`);
  return abortedRefusal(
    `not every instance prepared in time: ${waiting.join(', ')}. Bring it back, disable or expel it, and try again`,
  );
}

const ABORTED = 'The change was aborted: ';

function abortedRefusal(reason: string): Refusal {
  // The reason may be the message of the one who aborted it before.
  const why = reason.replace(ABORTED, '').replace(/\.$/, '');
  return { code: 'CONFIG_ABORTED', message: `${ABORTED}${why}.` };
}

function unheardAbort(state: Aborting): Refusal {
  return {
    code: 'CONFIG_UNDECIDED',
    message:
      `${state.refusal.message} No instance has confirmed the abort yet; ` +
      'they settle it by themselves, read the config again in a minute.',
  };
}

function undecidedRefusal(state: TwoPhaseState): Refusal {
  const reasons = Object.entries(state.failures).map(([uuid, { reason }]) => `${uuid}: ${reason}`);
  return {
    code: 'CONFIG_UNDECIDED',
    message:
      `All instances have prepared, but none has stored the decision yet (${reasons.join('; ')}). ` +
      'They settle it by themselves; read the config again in a minute.',
  };
}

function participantsOf(state: TwoPhaseState): readonly string[] {
  return state.request.change.participants.map((participant) => participant.uuid);
}

function sendAll(to: readonly string[], message: TwoPhaseMessage): readonly TwoPhaseEffect[] {
  return to.map((uuid) => send(uuid, message));
}

function send(to: string, message: TwoPhaseMessage): TwoPhaseEffect {
  return { kind: 'send', to, message, delayMs: 0 };
}

function finish(state: TwoPhaseState): TwoPhaseStep {
  return { state, effects: [] };
}

function ignored(state: TwoPhaseState): TwoPhaseStep {
  return { state, effects: [] };
}
