/** `@tonearm/operator/api`: the custom resources, for the embedded API and for tools. */
export type { KubeObject, ObjectMeta, ObjectReference, OwnerReference } from './kube-object.ts';
export {
  ANNOTATIONS,
  API_GROUP,
  API_GROUP_VERSION,
  API_VERSION,
  FIELD_MANAGERS,
  FINALIZER,
  LABELS,
  SCHEMA_VERSION,
} from './names.ts';
export { groupVersion, type Resource, RESOURCES } from './resources.ts';
export { type Cluster, clusterSchema, type ClusterSpec, type ClusterStatus } from './v1alpha1/cluster.ts';
export type { Condition, ConditionType } from './v1alpha1/conditions.ts';
export {
  type ReplicaSet,
  replicaSetSchema,
  type ReplicaSetSpec,
  type ReplicaSetStatus,
} from './v1alpha1/replica-set.ts';
export {
  type FieldProblem,
  findUnknownFields,
  parseCluster,
  parseReplicaSet,
  parseResource,
  validateCluster,
  validateReplicaSet,
  type Verdict,
} from './validate.ts';
