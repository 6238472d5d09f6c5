/** Conditions that keep the time of their last transition. */
import type { Condition, ConditionType } from '../../api/v1alpha1/conditions.ts';

export interface Fact {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

export interface ConditionContext {
  readonly before: readonly Condition[] | undefined;
  readonly generation: number;
  readonly nowMs: number;
}

const MESSAGE_LENGTH_MAX = 1024;

export function buildConditions(facts: readonly Fact[], context: ConditionContext): Condition[] {
  return facts.map((fact) => {
    const before = context.before?.find(({ type }) => type === fact.type);
    const lastTransitionTime =
      before?.status === fact.status ? before.lastTransitionTime : timeOf(context.nowMs);
    return {
      type: fact.type,
      status: fact.status,
      reason: fact.reason,
      message: fact.message.slice(0, MESSAGE_LENGTH_MAX),
      lastTransitionTime,
      observedGeneration: context.generation,
    };
  });
}

/** Kubernetes keeps whole seconds. */
function timeOf(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
