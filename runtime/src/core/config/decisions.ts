/**
 * How a change is decided, by whoever has to settle it.
 *
 * With a state provider: the decision of a change is written once. `commit` is written in one transaction with the
 * head, and only on top of the base that the change was made from; so each config has at most one successor.
 * A head that has vanished means a provider that has forgotten: nobody may conclude anything from what is absent there.
 *
 * Without one: commit if and only if all participants prepared. A participant that has not prepared can refuse for
 * ever, one that has prepared cannot; so any refusal proves abort, and any commit, or everybody prepared, proves commit.
 */
import type { ConfigVersion } from '../../contract/cluster-config.ts';
import type { ConfigHead, Decision } from '../../contract/provider-records.ts';
import type { ChangeState } from '../../contract/two-phase.ts';
import { sameVersion } from './apply-patch.ts';

export type DecisionKind = Decision['decision'];

export type DecisionPlan =
  /** The head names this change: it was committed, though its decision is gone. */
  | { readonly kind: 'committed-before' }
  | { readonly kind: 'write'; readonly decision: DecisionKind; readonly reason: string }
  | { readonly kind: 'wait'; readonly reason: string };

export interface DecisionQuestion {
  readonly changeId: string;
  readonly wish: DecisionKind;
  readonly reason: string;
  /** The config that the change was made from, or the own one where that is not known. */
  readonly base: ConfigVersion;
  /** Undefined when the provider has none. */
  readonly head: ConfigHead | undefined;
}

/** Of a change for which no decision is stored. */
export function planDecision(question: DecisionQuestion): DecisionPlan {
  const { head, base, wish, reason } = question;
  if (head?.changeId === question.changeId) return { kind: 'committed-before' };
  if (head === undefined && base.version > 0) {
    return {
      kind: 'wait',
      reason: 'the state provider has lost the head of the config; nothing can be decided there',
    };
  }
  if (wish === 'abort') return { kind: 'write', decision: 'abort', reason };
  const present = head?.config ?? { version: 0, checksum: '' };
  if (sameVersion(present, base)) return { kind: 'write', decision: 'commit', reason };
  return {
    kind: 'write',
    decision: 'abort',
    reason: `it was made from config version ${base.version}, and version ${present.version} was committed meanwhile`,
  };
}

export interface ParticipantView {
  readonly uuid: string;
  readonly state: ChangeState['state'] | 'unreachable';
}

export type Resolution =
  | { readonly kind: 'decided'; readonly decision: DecisionKind; readonly reason: string }
  | { readonly kind: 'stay'; readonly reason: string };

/** Without a state provider, from what all participants (the own one too) say. */
export function resolveByParticipants(views: readonly ParticipantView[]): Resolution {
  const committed = views.find((view) => view.state === 'committed');
  if (committed !== undefined) {
    return { kind: 'decided', decision: 'commit', reason: `${committed.uuid} has committed it` };
  }
  const aborted = views.find((view) => view.state === 'aborted');
  if (aborted !== undefined) {
    return { kind: 'decided', decision: 'abort', reason: `${aborted.uuid} has refused it` };
  }
  const open = views.filter((view) => view.state !== 'prepared');
  if (open.length === 0) {
    return { kind: 'decided', decision: 'commit', reason: 'all participants have prepared it' };
  }
  const who = open.map((view) => `${view.uuid} is ${view.state}`).join(', ');
  return { kind: 'stay', reason: `the outcome depends on all participants, and ${who}` };
}

export interface KnownDecision {
  readonly changeId: string;
  readonly decision: DecisionKind;
  readonly reason: string;
  /** The own config's version when this became known. */
  readonly version: number;
}

const DECISIONS_KEPT = 200;

/**
 * Keeps the last 200, and all refusals made at the present version: an older change cannot be prepared any more,
 * because its base is gone, but one of the present version could, so forgetting its refusal would break a promise.
 */
export function rememberDecision(
  known: readonly KnownDecision[],
  decision: KnownDecision,
): readonly KnownDecision[] {
  const others = known.filter((other) => other.changeId !== decision.changeId);
  const all = [...others, decision];
  const surplus = all.length - DECISIONS_KEPT;
  return all.filter((one, index) => index >= surplus || one.version >= decision.version);
}
