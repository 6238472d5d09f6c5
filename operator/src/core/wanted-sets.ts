/** Which ReplicaSets a cluster should have, and what is to become of those that it has. */
import type { KubeObject, OwnerReference, StatefulSet } from '../api/kube-object.ts';
import { LABELS } from '../api/names.ts';
import type { ReplicaSetTemplate } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { templatedReplicaSetName } from './resources/names.ts';
import { isOurs } from './resources/owner.ts';
import type { ClusterSnapshot } from './snapshot.ts';

export interface WantedTemplated {
  readonly name: string;
  readonly template: ReplicaSetTemplate;
}

export function wantedTemplated(
  snapshot: Pick<ClusterSnapshot, 'cluster'>,
): readonly WantedTemplated[] {
  const { metadata, spec } = snapshot.cluster;
  return spec.replicaSets.flatMap((template) =>
    Array.from({ length: template.count }, (_, index) => ({
      name: templatedReplicaSetName(metadata.name, template.name, index + 1),
      template,
    })),
  );
}

/** Whose is an object that was found under a name of ours? */
export type Claim =
  | 'absent'
  | 'ours'
  /** It belonged to an earlier object of the same name and is being removed. */
  | 'leaving'
  | 'foreign';

export function claimOf(found: KubeObject | undefined, cluster: string, owner?: KubeObject): Claim {
  if (found === undefined) return 'absent';
  // Labels may be lost or overwritten; whom an object belongs to is not changed by chance.
  const isOwned = owner !== undefined && controllerOf(found)?.uid === owner.metadata.uid;
  if (!isOwned && !isOurs(found, cluster)) return 'foreign';
  if (found.metadata.deletionTimestamp !== undefined) return 'leaving';
  const controller = controllerOf(found);
  if (controller === undefined || owner === undefined) return 'ours';
  return controller.uid === owner.metadata.uid ? 'ours' : 'leaving';
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** Members of this cluster: its own templated ReplicaSets and those written by hand, sorted by name. */
export function memberSets(snapshot: ClusterSnapshot): readonly ReplicaSet[] {
  return snapshot.replicaSets
    .filter((replicaSet) => replicaSet.spec.clusterName === snapshot.cluster.metadata.name)
    .filter((replicaSet) => !belongsToAnother(snapshot, replicaSet))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** Those that should go: deleted by a user, or beyond the count of their template. */
export function isLeaving(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): boolean {
  if (replicaSet.metadata.deletionTimestamp !== undefined) return true;
  if (!isTemplated(snapshot, replicaSet)) return false;
  return !wantedTemplated(snapshot).some(({ name }) => name === replicaSet.metadata.name);
}

export function isTemplated(
  { cluster }: Pick<ClusterSnapshot, 'cluster'>,
  replicaSet: ReplicaSet,
): boolean {
  const template = replicaSet.metadata.labels?.[LABELS.template];
  if (template === undefined || !isOurs(replicaSet, cluster.metadata.name)) return false;
  // A user's copy of one has its labels, and a name of its own.
  const prefix = templatedReplicaSetName(cluster.metadata.name, template, '');
  const { name } = replicaSet.metadata;
  return name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
}

/** Made for an earlier Cluster of the same name, which takes it along. */
export function belongsToAnother(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): boolean {
  const controller = controllerOf(replicaSet);
  if (controller === undefined || controller.kind !== 'Cluster') return false;
  return controller.uid !== snapshot.cluster.metadata.uid;
}

export function statefulSetOf(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
): StatefulSet | undefined {
  return snapshot.statefulSets.find((found) => found.metadata.name === replicaSet.metadata.name);
}
