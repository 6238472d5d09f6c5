import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatefulSet } from '../../api/kube-object.ts';
import { buildCluster } from '../../testing/cluster-objects.ts';
import { ModelWorld } from '../../testing/model-world.ts';
import {
  blankWorld,
  editSet,
  editSetSpec,
  editStatus,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { keepStatefulSets } from './keep-stateful-sets.ts';

const SET = 'employees-storage-1';
const settled = settledWorld().snapshot();

/** The pod of the third seat has come, and the number was lowered again before it joined. */
function raisedAndLowered(): ClusterSnapshot {
  const world = settledWorld();
  world.scale(SET, 3);
  for (let round = 0; round < 10 && !world.pods.has(`${SET}-2`); round++) world.reconcile(2);
  return editSetSpec(world.snapshot(), SET, { replicas: 2 });
}

/** The same before there is a config. */
function loweredBlank(): ClusterSnapshot {
  return editSetSpec(blankWorld().snapshot(), SET, { replicas: 1 });
}

const applied = (replicas: number): readonly string[] => [
  `act ApplyingStatefulSet: StatefulSet ${SET} is applied with ${replicas} replicas.`,
];

describe('keepStatefulSets', () => {
  const cases: readonly {
    readonly name: string;
    readonly snapshot: ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    { name: 'applies nothing that is as it should be', snapshot: settled, want: [] },
    {
      name: 'raises the number at once',
      snapshot: editSetSpec(settled, SET, { replicas: 5 }),
      want: applied(5),
    },
    {
      name: 'takes no pod whose instance the config still has',
      snapshot: editSetSpec(settled, SET, { replicas: 1 }),
      want: [],
    },
    {
      name: 'takes the last pod when the config does not have its instance',
      snapshot: raisedAndLowered(),
      want: applied(2),
    },
    {
      name: 'takes no pod while a change is on its way that may bring its instance in',
      snapshot: editStatus(raisedAndLowered(), `${SET}-0`, (status) => ({
        ...status,
        preparedChangeId: 'a change',
      })),
      want: [],
    },
    {
      name: 'takes no pod while an instance has another config',
      snapshot: editStatus(raisedAndLowered(), `${SET}-0`, (status) => ({
        ...status,
        config: { version: 9, checksum: 'nine' },
      })),
      want: [],
    },
    {
      name: 'takes no pod while an instance that could know of a change is silent',
      snapshot: silence(raisedAndLowered(), `${SET}-0`),
      want: [],
    },
    {
      name: 'takes the last pod before the bootstrap',
      snapshot: loweredBlank(),
      want: applied(1),
    },
    {
      name: 'takes no pod while the bootstrap may be under way',
      snapshot: editStatus(loweredBlank(), `${SET}-0`, (status) => ({
        ...status,
        preparedChangeId: 'the first change',
      })),
      want: [],
    },
    {
      name: 'takes no pod while one is silent that may hold the first config',
      snapshot: silence(loweredBlank(), `${SET}-0`),
      want: [],
    },
    {
      name: 'takes no pod of a cluster whose config nobody tells',
      snapshot: { ...raisedAndLowered(), config: undefined },
      want: [],
    },
    {
      name: 'leaves a set alone that a user has deleted',
      snapshot: editSet(editSetSpec(settled, SET, { replicas: 5 }), SET, (set) => ({
        ...set,
        metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      })),
      want: [],
    },
    {
      name: 'knows the size of a volume in the way of the server',
      snapshot: editSetSpec(settled, SET, { volume: { size: '1024Mi' } }),
      want: [],
    },
    {
      name: 'refuses to grow volumes, and keeps them as they are',
      snapshot: editSetSpec(settled, SET, { volume: { size: '2Gi' } }),
      want: [
        `refuse VolumeGrowthUnsupported: ReplicaSet ${SET} asks for volumes of 2Gi, and those of 1Gi cannot be grown yet: set volume.size back.`,
      ],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(keepStatefulSets(snapshot)), want));
  }

  it('takes one pod at a time, however far the number was lowered', () => {
    const world = blankWorld();
    const snapshot = editSetSpec(world.snapshot(), SET, { replicas: 0 });
    assert.deepEqual(tell(keepStatefulSets(snapshot)), applied(1));
  });

  it('makes no set anew whose identity may stand in a config that nobody has told yet', () => {
    const world = settledWorld();
    const { statefulSets } = world.snapshot();
    const router = 'employees-router-1';
    const without = (sets: readonly StatefulSet[]): readonly StatefulSet[] =>
      sets.filter(({ metadata }) => metadata.name !== router);
    const anew = editSet(world.snapshot(), router, (set) => ({ ...set, status: undefined }));
    const untold = { ...anew, statefulSets: without(statefulSets), config: undefined };
    assert.deepEqual(tell(keepStatefulSets(untold)), [
      `wait ConfigUnknown: ReplicaSet ${router} waits until an instance tells the config.`,
    ]);
    const told = { ...untold, config: settled.config };
    assert.deepEqual(tell(keepStatefulSets(told)), [
      `act ApplyingStatefulSet: StatefulSet ${router} is applied with 1 replicas.`,
    ]);
  });

  it('makes no pods for a set that is counted no more before it had any', () => {
    const world = new ModelWorld(
      buildCluster({ replicaSets: [{ name: 'router', count: 2, roles: [] }] }),
    );
    for (let round = 0; round < 5 && world.replicaSets.size < 2; round++) world.reconcile();
    world.editSpec((spec) => ({
      ...spec,
      replicaSets: spec.replicaSets.map((template) => ({ ...template, count: 1 })),
    }));
    const snapshot = { ...world.snapshot(), statefulSets: [], pods: [], instances: [] };
    assert.deepEqual(tell(keepStatefulSets(snapshot)), [
      'act ApplyingStatefulSet: StatefulSet employees-router-1 is applied with 1 replicas.',
    ]);
  });
});
