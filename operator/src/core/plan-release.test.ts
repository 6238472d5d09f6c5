import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FINALIZER } from '../api/names.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { buildCluster, buildReplicaSetObject, CLUSTER_UID } from '../testing/cluster-objects.ts';
import { planRelease } from './plan-release.ts';

const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' };

function held(name: string, ownerUid?: string, ownerKind = 'Cluster'): ReplicaSet {
  const owner = { apiVersion: 'tonearm.dev/v1alpha1', kind: ownerKind, name: 'employees' };
  const ownerReferences =
    ownerUid === undefined ? [] : [{ ...owner, uid: ownerUid, controller: true }];
  return buildReplicaSetObject(name, {}, { ...DELETED, finalizers: [FINALIZER], ownerReferences });
}

describe('planRelease', () => {
  const alive = buildCluster();
  const going = { ...alive, metadata: { ...alive.metadata, ...DELETED } };

  const cases: readonly {
    readonly name: string;
    readonly sets: readonly ReplicaSet[];
    readonly cluster: Cluster | undefined;
    readonly want: readonly string[];
  }[] = [
    {
      name: 'lets all go, in the order of their names, when the Cluster is gone',
      sets: [held('b', CLUSTER_UID), held('a')],
      cluster: undefined,
      want: ['a', 'b'],
    },
    {
      name: 'lets all go when the Cluster is on its way out',
      sets: [held('a', CLUSTER_UID)],
      cluster: going,
      want: ['a'],
    },
    {
      name: 'keeps those of a Cluster that is there: it decides whether they may go',
      sets: [held('a', CLUSTER_UID)],
      cluster: alive,
      want: [],
    },
    {
      name: 'lets those of an earlier Cluster of the name go, and keeps the others',
      sets: [held('a', 'an earlier one'), held('b', CLUSTER_UID)],
      cluster: alive,
      want: ['a'],
    },
    {
      name: 'keeps those that a user has written: the Cluster still wants their data moved',
      sets: [held('a'), held('b', 'some chart', 'HelmRelease')],
      cluster: alive,
      want: [],
    },
    {
      name: 'has nothing to do with those that nobody has deleted, or that have no guard',
      sets: [
        buildReplicaSetObject('a', {}, { finalizers: [FINALIZER] }),
        buildReplicaSetObject('b', {}, DELETED),
        buildReplicaSetObject('c', {}, { ...DELETED, finalizers: ['other'] }),
      ],
      cluster: undefined,
      want: [],
    },
  ];

  for (const { name, sets, cluster, want } of cases) {
    it(name, () => assert.deepEqual(planRelease(sets, cluster), want));
  }
});
