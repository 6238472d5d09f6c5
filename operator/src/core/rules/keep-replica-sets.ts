/**
 * ReplicaSet objects from the templates of the Cluster.
 *
 * A template that gives `replicas` decides their number for ever; one that gives `initialReplicas` only at creation.
 * Objects beyond the count are not deleted here: they go when they own nothing any more.
 */
import { ANNOTATIONS, FINALIZER } from '../../api/names.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { needsApply } from '../diff/needs-apply.ts';
import { buildReplicaSet } from '../resources/build-replica-set.ts';
import { MEMORY } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act } from '../verdict.ts';
import { isTemplated, memberSets, type WantedTemplated, wantedTemplated } from '../wanted-sets.ts';

export function keepReplicaSets(snapshot: ClusterSnapshot): readonly Verdict[] {
  const actions = [
    ...wantedTemplated(snapshot).flatMap((wanted) => keepTemplated(snapshot, wanted)),
    ...guardHandWritten(snapshot),
  ];
  if (actions.length === 0) return [];
  const names = actions.flatMap((action) => nameOf(action));
  return [act(actions, 'ApplyingReplicaSets', `ReplicaSet ${names.join(', ')} is applied.`)];
}

function keepTemplated(snapshot: ClusterSnapshot, wanted: WantedTemplated): readonly Action[] {
  const { cluster, operator } = snapshot;
  const found = snapshot.replicaSets.find(({ metadata }) => metadata.name === wanted.name);
  if (found?.metadata.deletionTimestamp !== undefined) return [];
  const intent = buildReplicaSet({
    cluster,
    ...wanted,
    found,
    guarded: operator.guardsReplicaSets,
  });
  const apply: readonly Action[] = needsApply(intent, found)
    ? [{ kind: 'apply', resource: 'replicaSets', intent }]
    : [];
  return [...enforceReplicas(wanted, found), ...apply];
}

/** Before the apply, which records the new number and so forgets whether a user or the template has changed it. */
function enforceReplicas(
  { template, name }: WantedTemplated,
  found: ReplicaSet | undefined,
): readonly Action[] {
  const replicas = template.replicas;
  if (found === undefined || replicas === undefined || found.spec.replicas === replicas) return [];
  const scale: Action = { kind: 'scale', replicaSet: name, replicas };
  const wasEnforced = found.metadata.annotations?.[MEMORY.enforcedReplicas] === String(replicas);
  if (!wasEnforced) return [scale];
  return [
    scale,
    {
      kind: 'event',
      regarding: { kind: 'ReplicaSet', name },
      type: 'Warning',
      reason: 'ScaleReverted',
      action: 'Scale',
      note: `The template ${template.name} enforces ${replicas} replicas, so the scale to ${found.spec.replicas} was set back; use initialReplicas to scale by hand.`,
    },
  ];
}

/** A user's own ReplicaSet gets nothing from the operator but the guard against losing its data. */
function guardHandWritten(snapshot: ClusterSnapshot): readonly Action[] {
  if (!snapshot.operator.guardsReplicaSets) return [];
  return memberSets(snapshot)
    .filter((replicaSet) => !isTemplated(snapshot, replicaSet))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) => metadata.annotations?.[ANNOTATIONS.paused] === undefined)
    .filter(({ metadata }) => metadata.finalizers?.includes(FINALIZER) !== true)
    .map(({ metadata }) => ({ kind: 'add-finalizer', name: metadata.name }));
}

function nameOf(action: Action): readonly string[] {
  if (action.kind === 'apply') return [action.intent.metadata.name];
  return action.kind === 'add-finalizer' ? [action.name] : [];
}
