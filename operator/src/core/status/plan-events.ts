/** Which changes of conditions users are told of as events: those that they would otherwise have to look for. */
import type { Condition } from '../../api/v1alpha1/conditions.ts';

export interface ConditionEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** What each of them is when all is well. */
const WELL: Readonly<Record<string, Condition['status']>> = {
  Ready: 'True',
  Bootstrapped: 'True',
  SpecValid: 'True',
  Degraded: 'False',
};

/** Of these a new object has the bad side first, and that is no news. */
const BEGINS_BAD = ['Ready', 'Bootstrapped'];

export function planEvents(
  before: readonly Condition[] | undefined,
  after: readonly Condition[],
): readonly ConditionEvent[] {
  return after.flatMap((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    if (!isNews(condition, old)) return [];
    const type = condition.status === WELL[condition.type] ? 'Normal' : 'Warning';
    return [{ type, reason: condition.reason, note: condition.message }];
  });
}

function isNews(condition: Condition, old: Condition | undefined): boolean {
  const well = WELL[condition.type];
  if (well === undefined) return false;
  const isWell = condition.status === well;
  if (old === undefined) return isWell === BEGINS_BAD.includes(condition.type);
  if (old.status !== condition.status) return true;
  // Trouble of another kind is news; a bootstrap that goes on to its next step is not.
  return !isWell && old.reason !== condition.reason && !BEGINS_BAD.includes(condition.type);
}
