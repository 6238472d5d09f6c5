/** What the controllers know of Kubernetes without asking, and which cluster an object belongs to. */
import type {
  KubeObject,
  PersistentVolumeClaim,
  Pod,
  Service,
  StatefulSet,
} from '../api/kube-object.ts';
import { LABELS } from '../api/names.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import type { ObjectName } from '../ports/kube.ts';
import type { ObjectCache } from '../ports/object-cache.ts';

/** The index of every cache but that of the Clusters themselves: by the key of the cluster. */
export const BY_CLUSTER = 'cluster';

export interface ClusterCaches {
  readonly clusters: ObjectCache<Cluster>;
  readonly replicaSets: ObjectCache<ReplicaSet>;
  readonly statefulSets: ObjectCache<StatefulSet>;
  readonly pods: ObjectCache<Pod>;
  readonly services: ObjectCache<Service>;
  readonly claims: ObjectCache<PersistentVolumeClaim>;
}

/** `namespace/name`. */
export function keyOfCluster({ namespace, name }: ObjectName): string {
  return `${namespace ?? 'default'}/${name}`;
}

export function parseKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function keysByLabel({ metadata }: KubeObject): readonly string[] {
  const cluster = metadata.labels?.[LABELS.cluster];
  if (cluster === undefined) return [];
  return [keyOfCluster({ namespace: metadata.namespace, name: cluster })];
}

/** A user's own ReplicaSet has no label, but names its Cluster. */
export function keysOfReplicaSet({ metadata, spec }: ReplicaSet): readonly string[] {
  return [keyOfCluster({ namespace: metadata.namespace, name: spec.clusterName })];
}
