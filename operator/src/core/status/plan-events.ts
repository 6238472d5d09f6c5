/** Which changes of conditions users are told of as events: those that they would otherwise have to look for. */
import type { Condition } from '../../api/v1alpha1/conditions.ts';

export interface ConditionEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** Types that tell of success when true, and those that tell of trouble. */
const GOOD = ['Ready', 'Bootstrapped', 'SpecValid'];
const BAD = ['Degraded'];

export function planEvents(
  before: readonly Condition[] | undefined,
  after: readonly Condition[],
): readonly ConditionEvent[] {
  return after.flatMap((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    const isNews = old?.status !== condition.status || old.reason !== condition.reason;
    const isTold = GOOD.includes(condition.type) || BAD.includes(condition.type);
    if (!isNews || !isTold || isQuiet(condition, old)) return [];
    const good = GOOD.includes(condition.type) === (condition.status === 'True');
    return [
      {
        type: good || condition.reason.startsWith('Waiting') ? 'Normal' : 'Warning',
        reason: condition.reason,
        note: condition.message,
      },
    ];
  });
}

/** The first look at a new object finds nothing ready and nothing wrong; that is no news. */
function isQuiet(condition: Condition, old: Condition | undefined): boolean {
  if (old !== undefined) return false;
  if (condition.type === 'Ready' || condition.type === 'Bootstrapped') {
    return condition.status !== 'True';
  }
  return (condition.type === 'Degraded') !== (condition.status === 'True');
}
