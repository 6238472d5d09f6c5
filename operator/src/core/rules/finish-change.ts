/**
 * A commit that some instance has seen is the decision: instances that still hold the lock of that change are told.
 * This is how a change ends whose operator died in the middle. A lock of any other change is left alone: whoever
 * coordinates it goes on, and if nobody does, the instances settle it among themselves.
 */
import type { ClusterSnapshot } from '../snapshot.ts';
import { statusOf } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';

export function finishChange({ config, instances }: ClusterSnapshot): readonly Verdict[] {
  const locked = instances.flatMap((instance) => {
    const changeId = statusOf(instance)?.preparedChangeId ?? null;
    return changeId === null
      ? []
      : [{ name: instance.podName, address: instance.address, changeId }];
  });
  const [first] = locked;
  if (first === undefined) return [];
  const committed = config?.meta.changeId;
  const waiting = locked.filter(({ changeId }) => changeId === committed);
  if (committed !== undefined && waiting.length > 0) {
    const addresses = waiting.map(({ address }) => address);
    return [
      act(
        [{ kind: 'finish-change', changeId: committed, addresses }],
        'FinishingChange',
        `${waiting.map(({ name }) => name).join(', ')} is told that config version ${config?.meta.version ?? 0} is committed.`,
      ),
    ];
  }
  return [
    wait('ConfigLocked', `Instance ${first.name} holds the lock of a change that is not decided.`),
  ];
}
