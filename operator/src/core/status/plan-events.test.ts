import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Condition, ConditionType } from '../../api/v1alpha1/conditions.ts';
import { planEvents } from './plan-events.ts';

function condition(type: ConditionType, status: Condition['status'], reason: string): Condition {
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  return { type, status, reason, message: `${reason}.`, lastTransitionTime, observedGeneration: 1 };
}

describe('planEvents', () => {
  const cases: readonly {
    readonly name: string;
    readonly before?: Condition;
    readonly after: Condition;
    readonly want: readonly string[];
  }[] = [
    {
      name: 'says nothing of a new cluster that is not ready',
      after: condition('Ready', 'False', 'WaitingForInstances'),
      want: [],
    },
    {
      name: 'says nothing of the steps of a bootstrap',
      before: condition('Ready', 'False', 'WaitingForEtcd'),
      after: condition('Ready', 'False', 'WaitingForInstances'),
      want: [],
    },
    {
      name: 'tells that a cluster serves',
      before: condition('Ready', 'False', 'WaitingForInstances'),
      after: condition('Ready', 'True', 'Serving'),
      want: ['Normal Serving'],
    },
    {
      name: 'tells that it serves no more',
      before: condition('Ready', 'True', 'Serving'),
      after: condition('Ready', 'False', 'NoLeader'),
      want: ['Warning NoLeader'],
    },
    {
      name: 'tells of a refusal at first sight',
      after: condition('SpecValid', 'False', 'NameTaken'),
      want: ['Warning NameTaken'],
    },
    {
      name: 'tells of trouble of another kind',
      before: condition('Degraded', 'True', 'InstanceSilent'),
      after: condition('Degraded', 'True', 'DataLost'),
      want: ['Warning DataLost'],
    },
    {
      name: 'tells that the trouble is over',
      before: condition('Degraded', 'True', 'InstanceSilent'),
      after: condition('Degraded', 'False', 'Healthy'),
      want: ['Normal Healthy'],
    },
    {
      name: 'says nothing of what comes and goes all the time',
      before: condition('Progressing', 'True', 'JoiningInstance'),
      after: condition('Progressing', 'False', 'Settled'),
      want: [],
    },
  ];

  for (const { name, before, after, want } of cases) {
    it(name, () => {
      const events = planEvents(before === undefined ? [] : [before], [after]);
      assert.deepEqual(
        events.map(({ type, reason }) => `${type} ${reason}`),
        want,
      );
    });
  }
});
