/** Snapshots for tables of rules: a cluster that has all it wants, and small edits of what is seen of it. */
import assert from 'node:assert/strict';
import { topologyOf } from '@tonearm/runtime/config';
import type { InstanceStatus, Topology } from '@tonearm/runtime/contract';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { closeDraft, openDraft } from '../core/config-draft.ts';
import type { ClusterSnapshot, InstanceFacts } from '../core/snapshot.ts';
import type { Verdict } from '../core/verdict.ts';
import { buildCluster } from './cluster-objects.ts';
import { ModelWorld } from './model-world.ts';

const ROUNDS_MAX = 30;

/** Nothing is under way, and nothing is left to do. */
export function settledWorld(cluster: Cluster = buildCluster()): ModelWorld {
  const world = new ModelWorld(cluster);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { actions, status } = world.reconcile();
    if (actions.length === 0 && status === undefined) return world;
  }
  return assert.fail('the world does not settle');
}

/** All pods are there, blank, and the operator has not made the first config yet. */
export function blankWorld(cluster: Cluster = buildCluster()): ModelWorld {
  const world = new ModelWorld(cluster);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { actions } = world.plan();
    if (actions.some(({ kind }) => kind === 'change')) return world;
    world.reconcile();
  }
  return assert.fail('the world never comes to its first config');
}

export function editInstance(
  snapshot: ClusterSnapshot,
  podName: string,
  edit: (instance: InstanceFacts) => InstanceFacts,
): ClusterSnapshot {
  assert.ok(snapshot.instances.some((instance) => instance.podName === podName));
  const instances = snapshot.instances.map((instance) =>
    instance.podName === podName ? edit(instance) : instance,
  );
  return { ...snapshot, instances };
}

export function editStatus(
  snapshot: ClusterSnapshot,
  podName: string,
  edit: (status: InstanceStatus) => InstanceStatus,
): ClusterSnapshot {
  return editInstance(snapshot, podName, (instance) => {
    assert.ok(instance.answer.kind === 'status');
    return { ...instance, answer: { kind: 'status', status: edit(instance.answer.status) } };
  });
}

export function silence(
  snapshot: ClusterSnapshot,
  podName: string,
  reason = 'no answer',
): ClusterSnapshot {
  return editInstance(snapshot, podName, (instance) => ({
    ...instance,
    ready: false,
    answer: { kind: 'silent', reason },
  }));
}

export function removePod(snapshot: ClusterSnapshot, podName: string): ClusterSnapshot {
  return {
    ...snapshot,
    instances: snapshot.instances.filter((instance) => instance.podName !== podName),
    pods: snapshot.pods.filter(({ metadata }) => metadata.name !== podName),
  };
}

export function editSet(
  snapshot: ClusterSnapshot,
  name: string,
  edit: (replicaSet: ReplicaSet) => ReplicaSet,
): ClusterSnapshot {
  assert.ok(snapshot.replicaSets.some(({ metadata }) => metadata.name === name));
  const replicaSets = snapshot.replicaSets.map((replicaSet) =>
    replicaSet.metadata.name === name ? edit(replicaSet) : replicaSet,
  );
  return { ...snapshot, replicaSets };
}

export function editSetSpec(
  snapshot: ClusterSnapshot,
  name: string,
  fields: Partial<ReplicaSet['spec']>,
): ClusterSnapshot {
  return editSet(snapshot, name, (replicaSet) => ({
    ...replicaSet,
    spec: { ...replicaSet.spec, ...fields },
  }));
}

/** One line each, as a person reads them in a trace. */
export function tell(verdicts: readonly Verdict[]): readonly string[] {
  return verdicts.map(({ kind, reason, message }) => `${kind} ${reason}: ${message}`);
}

/** The topology that the edits among the verdicts make. */
export function topologyAfter(snapshot: ClusterSnapshot, verdicts: readonly Verdict[]): Topology {
  let draft = openDraft(snapshot.config);
  for (const verdict of verdicts) {
    if (verdict.kind !== 'edit') continue;
    const edited = verdict.edit(draft);
    assert.ok(edited.kind === 'edited', edited.kind === 'refused' ? edited.message : '');
    draft = edited.draft;
  }
  const sections = closeDraft(draft, snapshot.config) ?? snapshot.config?.sections ?? {};
  return topologyOf({ sections });
}

/** Aliases of all instances that were not expelled, sorted. */
export function joinedAfter(
  snapshot: ClusterSnapshot,
  verdicts: readonly Verdict[],
): readonly string[] {
  return Object.values(topologyAfter(snapshot, verdicts).servers)
    .flatMap((server) => (server === 'expelled' ? [] : [server.alias]))
    .toSorted();
}
