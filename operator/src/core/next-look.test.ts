/** How soon a cluster is looked at again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editSet, editStatus, settledWorld } from '../testing/snapshots.ts';
import { idlePoll, planCluster } from './plan-cluster.ts';
import type { ClusterSnapshot } from './snapshot.ts';

const SET = 'employees-storage-1';
const LEADER = `${SET}-0`;
const SOON_MS = 500;
const IDLE_MS = 3_000;
const settled = settledWorld().snapshot();

function nextLook(snapshot: ClusterSnapshot): number {
  return planCluster(snapshot).requeueAfterMs;
}

/** The same, with the statuses that the plan for it tells: nothing of it is news any more. */
function told(snapshot: ClusterSnapshot): ClusterSnapshot {
  const { status, replicaSetStatuses } = planCluster(snapshot);
  return {
    ...snapshot,
    cluster: { ...snapshot.cluster, status: status ?? snapshot.cluster.status },
    replicaSets: snapshot.replicaSets.map((replicaSet) => ({
      ...replicaSet,
      status: replicaSetStatuses.get(replicaSet.metadata.name) ?? replicaSet.status,
    })),
  };
}

function leaderless(snapshot: ClusterSnapshot): ClusterSnapshot {
  return editStatus(snapshot, LEADER, (status) => ({
    ...status,
    replicaSet: status.replicaSet === null ? null : { ...status.replicaSet, writable: false },
  }));
}

describe('the next look at a cluster', () => {
  it('comes a few seconds later while nothing happens, as a leader may be promoted', () => {
    assert.equal(nextLook(settled), IDLE_MS);
  });

  for (const [count, wantMs] of [
    [50, 5_000],
    [200, 20_000],
    [1000, 30_000],
  ] as const) {
    it(`asks ${count} instances after ${wantMs} ms`, () => {
      const [instance] = settled.instances;
      assert.ok(instance);
      const instances = Array.from({ length: count }, () => instance);
      assert.equal(idlePoll({ instances }), wantMs);
    });
  }

  it('is soon when an instance has told something new', () => {
    const counted = editStatus(settled, LEADER, (status) => ({
      ...status,
      replicaSet: status.replicaSet === null ? null : { ...status.replicaSet, bucketCount: 7 },
    }));
    assert.equal(nextLook(counted), SOON_MS);
    assert.equal(nextLook(told(counted)), IDLE_MS);
  });

  it('is soon while an instance passes through a state', () => {
    const passing = told(
      editStatus(settled, LEADER, (status) => ({ ...status, state: 'ConfiguringRoles' })),
    );
    assert.equal(nextLook(passing), SOON_MS);
  });

  it('is soon while a leader is being found, and not for ever', () => {
    const searching = told(leaderless(settled));
    assert.equal(nextLook(searching), SOON_MS);
    assert.equal(nextLook({ ...searching, nowMs: searching.nowMs + 61_000 }), IDLE_MS);
  });

  it('does not wait for a leader of a set that should have no instances', () => {
    const empty = told(
      editSet(leaderless(settled), SET, (set) => ({ ...set, spec: { ...set.spec, replicas: 0 } })),
    );
    assert.ok(nextLook(empty) > SOON_MS);
  });
});
