/**
 * Which ReplicaSets no longer need their guard.
 *
 * The guard keeps a ReplicaSet from being deleted while its cluster may still want its data moved. When the Cluster
 * itself is gone, is going, or is another one of the same name, nobody can move anything: the object goes, and the
 * claims with the data stay.
 */
import { FINALIZER } from '../api/names.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { controllerOf } from './wanted-sets.ts';

/** Names, sorted. `cluster` is what the server itself has said just now, never a cached view. */
export function planRelease(
  replicaSets: readonly ReplicaSet[],
  cluster: Cluster | undefined,
): readonly string[] {
  return replicaSets
    .filter(isHeld)
    .filter((replicaSet) => isOrphan(replicaSet, cluster))
    .map(({ metadata }) => metadata.name)
    .toSorted();
}

/** Deleted, and kept by the guard alone. */
export function isHeld({ metadata }: ReplicaSet): boolean {
  return (
    metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FINALIZER) === true
  );
}

function isOrphan(replicaSet: ReplicaSet, cluster: Cluster | undefined): boolean {
  if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return true;
  const owner = controllerOf(replicaSet);
  return owner?.kind === 'Cluster' && owner.uid !== cluster.metadata.uid;
}
