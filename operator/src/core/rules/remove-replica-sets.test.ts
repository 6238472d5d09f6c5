import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FINALIZER } from '../../api/names.ts';
import type { ModelWorld } from '../../testing/model-world.ts';
import {
  editInstance,
  editSet,
  editStatus,
  joinedAfter,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { removeReplicaSets } from './remove-replica-sets.ts';

const ROUTER = 'employees-router-1';
const STORAGE = 'employees-storage-1';

function counting(world: ModelWorld, template: string, count: number): ModelWorld {
  world.editSpec((spec) => ({
    ...spec,
    replicaSets: spec.replicaSets.map((one) => (one.name === template ? { ...one, count } : one)),
  }));
  return world;
}

function deleted(snapshot: ClusterSnapshot, name: string, finalizers: string[]): ClusterSnapshot {
  return editSet(snapshot, name, (set) => ({
    ...set,
    metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers },
  }));
}

const uncounted = counting(settledWorld(), 'router', 0).snapshot();

/** The config has expelled the router; its object and its pod are still there. */
const expelled: ClusterSnapshot = (() => {
  const world = counting(settledWorld(), 'router', 0);
  for (let round = 0; round < 10; round++) {
    if (!world.joined().some((name) => name.startsWith(ROUTER))) break;
    world.reconcile();
  }
  return world.snapshot();
})();

const OWNS = 'owns buckets, and they cannot be moved yet, so it is not removed';

describe('removeReplicaSets', () => {
  const cases: readonly {
    readonly name: string;
    readonly snapshot: ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    { name: 'removes nothing that is wanted', snapshot: settledWorld().snapshot(), want: [] },
    {
      name: 'expels the instances first',
      snapshot: uncounted,
      want: [`edit ExpellingReplicaSet: The 1 instances of ReplicaSet ${ROUTER} are expelled.`],
    },
    {
      name: 'waits until somebody tells whether there is something to expel',
      snapshot: { ...uncounted, config: undefined },
      want: [
        `wait ConfigUnknown: ReplicaSet ${ROUTER} is removed when an instance tells the config.`,
      ],
    },
    {
      name: 'keeps a set that owns buckets and is counted no more',
      snapshot: counting(settledWorld(), 'storage', 1).snapshot(),
      want: [
        `refuse OwnsBuckets: ReplicaSet employees-storage-2 ${OWNS}: set the count of its template back.`,
      ],
    },
    {
      name: 'keeps a set that owns buckets and was deleted',
      snapshot: deleted(settledWorld().snapshot(), STORAGE, [FINALIZER]),
      want: [
        `refuse OwnsBuckets: ReplicaSet ${STORAGE} ${OWNS}: the deletion cannot be taken back, and it serves until buckets can move.`,
      ],
    },
    {
      name: 'believes an instance that counts buckets of its own',
      snapshot: editStatus(uncounted, `${ROUTER}-0`, (status) => ({
        ...status,
        replicaSet: status.replicaSet && { ...status.replicaSet, bucketCount: 3 },
      })),
      want: [
        `refuse OwnsBuckets: ReplicaSet ${ROUTER} ${OWNS}: set the count of its template back.`,
      ],
    },
    {
      name: 'waits until all know that it is expelled',
      snapshot: silence(expelled, `${STORAGE}-0`),
      want: [
        `wait ConfigNotSettled: ReplicaSet ${ROUTER} goes when all instances know that it is expelled.`,
      ],
    },
    {
      name: 'deletes the object when it owns nothing any more',
      snapshot: expelled,
      want: [`act RemovingReplicaSet: ReplicaSet ${ROUTER} owns nothing any more and is removed.`],
    },
    {
      name: 'takes the guard off one that was deleted',
      snapshot: deleted(expelled, ROUTER, ['other', FINALIZER]),
      want: [`act RemovingReplicaSet: ReplicaSet ${ROUTER} owns nothing any more and is removed.`],
    },
    {
      name: 'waits for the server once the guard is off',
      snapshot: deleted(expelled, ROUTER, ['other']),
      want: [`wait RemovingReplicaSet: ReplicaSet ${ROUTER} is being removed.`],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(removeReplicaSets(snapshot)), want));
  }

  it('expels all instances of the set together, and nobody else', () => {
    const { instances } = uncounted;
    assert.deepEqual(
      joinedAfter(uncounted, removeReplicaSets(uncounted)),
      instances.map(({ podName }) => podName).filter((name) => !name.startsWith(ROUTER)),
    );
  });

  it('deletes exactly the object that was seen, or only takes the guard off', () => {
    const actionsOf = (snapshot: ClusterSnapshot): unknown =>
      removeReplicaSets(snapshot).flatMap((verdict) =>
        verdict.kind === 'act' ? verdict.actions : [],
      );
    const uid = expelled.replicaSets.find(({ metadata }) => metadata.name === ROUTER)?.metadata.uid;
    assert.deepEqual(actionsOf(expelled), [{ kind: 'delete-replica-set', name: ROUTER, uid }]);
    assert.deepEqual(actionsOf(deleted(expelled, ROUTER, [FINALIZER])), [
      { kind: 'drop-finalizer', name: ROUTER },
    ]);
  });

  it('is not held up by an instance of the set itself that is gone already', () => {
    const gone = editInstance(expelled, `${ROUTER}-0`, (instance) => ({
      ...instance,
      answer: { kind: 'silent', reason: 'its pod is Succeeded' },
    }));
    assert.deepEqual(
      removeReplicaSets(gone).map(({ kind }) => kind),
      ['act'],
    );
  });
});
