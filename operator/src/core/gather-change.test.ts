import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editInstance, settledWorld } from '../testing/snapshots.ts';
import { planCluster } from './plan-cluster.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { ChangeAction } from './verdict.ts';

function changeOf(snapshot: ClusterSnapshot): ChangeAction | undefined {
  return planCluster(snapshot).actions.find((action) => action.kind === 'change');
}

describe('gatherChange', () => {
  const world = settledWorld();
  world.editSpec((spec) => ({ ...spec, config: { limits: { max: 1 } } }));
  const wishing = world.snapshot();
  const { wish } = changeOf(wishing) ?? assert.fail('nothing is changed');
  const refused: ClusterSnapshot = {
    ...wishing,
    lastChange: { kind: 'refused', wish, message: 'limits.max must be at least 2' },
  };

  it('does not repeat a wish that was refused, and says why', () => {
    assert.equal(changeOf(refused), undefined);
    const { status } = planCluster(refused);
    const invalid = status?.conditions?.find(({ type }) => type === 'SpecValid');
    assert.equal(
      `${invalid?.status} ${invalid?.reason}: ${invalid?.message}`,
      'False ConfigRefused: The config was refused, and nothing was changed: limits.max must be at least 2',
    );
  });

  it('repeats it when a pod has been made anew, which may run another application', () => {
    const renewed = editInstance(refused, 'employees-storage-1-0', (instance) => ({
      ...instance,
      createdMs: instance.createdMs + 1000,
    }));
    assert.notEqual(changeOf(renewed), undefined);
  });

  it('repeats it when the application tells other roles', () => {
    const roles = [...(refused.roles ?? []), { name: 'app.roles.new', dependencies: [] }];
    assert.notEqual(changeOf({ ...refused, roles }), undefined);
  });
});
