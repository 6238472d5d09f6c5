/** `@tonearm/operator/api`: the custom resources, for the embedded API and for tools. */
export { CUSTOM_RESOURCES, type CustomResource, crds, type PrinterColumn } from './crds.ts';
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
export { groupVersion, RESOURCES, type Resource } from './resources.ts';
export {
  type Cluster,
  type ClusterSpec,
  type ClusterStatus,
  clusterSchema,
} from './v1alpha1/cluster.ts';
export type { Condition, ConditionType } from './v1alpha1/conditions.ts';
export {
  type ReplicaSet,
  type ReplicaSetSpec,
  type ReplicaSetStatus,
  replicaSetSchema,
} from './v1alpha1/replica-set.ts';
export {
  type FieldProblem,
  findUnknownFields,
  parseCluster,
  parseReplicaSet,
  parseResource,
  type Verdict,
  validateCluster,
  validateReplicaSet,
} from './validate.ts';
