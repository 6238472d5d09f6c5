/**
 * One StatefulSet per ReplicaSet, and its number of pods.
 *
 * Raising is done at once: a new pod waits, blank, until it is joined. Lowering takes one pod, and only the last one:
 * a StatefulSet deletes all surplus pods together, so the number is never lowered below an instance that the config
 * still knows, and never while a change is on its way that may bring one in.
 */
import type { StatefulSet } from '../../api/kube-object.ts';
import { parseBytes } from '../../api/quantity.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { needsApply } from '../diff/needs-apply.ts';
import { clusterUuidOf, isIdentified, replicaSetUuidOf } from '../identity.ts';
import { isBootstrapped, mayHideConfig } from '../progress.ts';
import { buildStatefulSet } from '../resources/build-stateful-set.ts';
import { type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { isSettled } from '../topology.ts';
import type { Action, Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';
import { isLeaving, memberSets, statefulSetOf } from '../wanted-sets.ts';

export function keepStatefulSets(snapshot: ClusterSnapshot): readonly Verdict[] {
  return memberSets(snapshot)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap((replicaSet) => keepStatefulSet(snapshot, replicaSet));
}

function keepStatefulSet(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Verdict[] {
  const { name } = replicaSet.metadata;
  const found = statefulSetOf(snapshot, replicaSet);
  if (found === undefined && isIdentityOpen(snapshot, replicaSet)) {
    return [wait('ConfigUnknown', `ReplicaSet ${name} waits until an instance tells the config.`)];
  }
  // A set that is not wanted any more and has no pods yet gets none.
  if (found === undefined && isLeaving(snapshot, replicaSet)) return [];
  const replicas = chooseReplicas(snapshot, replicaSet, found);
  const intent = buildStatefulSet({
    cluster: snapshot.cluster,
    clusterUuid: clusterUuidOf(snapshot),
    replicaSet,
    replicaSetUuid: replicaSetUuidOf(snapshot, replicaSet),
    replicas,
    found,
  });
  const verdicts = [...refuseVolumeChange(replicaSet, found)];
  if (needsApply(intent, found)) {
    const action: Action = { kind: 'apply', resource: 'statefulSets', intent };
    const message = `StatefulSet ${name} is applied with ${replicas} replicas.`;
    verdicts.push(act([action], 'ApplyingStatefulSet', message));
  }
  return verdicts;
}

/** A set without a recorded UUID may be in a config that nobody has told yet. */
function isIdentityOpen(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): boolean {
  return !isIdentified(snapshot, replicaSet) && mayHideConfig(snapshot);
}

function chooseReplicas(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
  found: StatefulSet | undefined,
): number {
  const wanted = replicaSet.spec.replicas;
  const present = found?.spec.replicas;
  if (present === undefined || wanted >= present) return wanted;
  const last = seatsOf(snapshot, replicaSet)[present - 1];
  return last !== undefined && mayVacate(snapshot, last) ? present - 1 : present;
}

function mayVacate(snapshot: ClusterSnapshot, seat: Seat): boolean {
  if (seat.server !== undefined) return false;
  // Before the bootstrap there is no config that could know it, unless the bootstrap is under way.
  if (snapshot.config === undefined) return !isBootstrapped(snapshot) && isUntouched(snapshot);
  return isSettled(snapshot);
}

function isUntouched(snapshot: ClusterSnapshot): boolean {
  return snapshot.instances.every(
    ({ answer }) =>
      answer.kind === 'status' &&
      answer.status.preparedChangeId === null &&
      answer.status.config.version === 0,
  );
}

function refuseVolumeChange(
  replicaSet: ReplicaSet,
  found: StatefulSet | undefined,
): readonly Verdict[] {
  const template = found?.spec.volumeClaimTemplates?.[0];
  const wanted = replicaSet.spec.volume?.size;
  const present = template?.spec.resources?.requests?.['storage'];
  if (wanted === undefined || present === undefined) return [];
  // The server writes quantities in its own way: 1024Mi comes back as 1Gi.
  if (parseBytes(String(present)) === parseBytes(wanted)) return [];
  return [
    {
      kind: 'refuse',
      reason: 'VolumeGrowthUnsupported',
      message: `ReplicaSet ${replicaSet.metadata.name} asks for volumes of ${wanted}, and those of ${present} cannot be grown yet: set volume.size back.`,
    },
  ];
}
