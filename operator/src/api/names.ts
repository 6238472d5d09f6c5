/**
 * The names that Tonearm writes into a Kubernetes cluster. Other programs select on them, and objects of earlier
 * versions carry them: they are never changed, only added to.
 */

/** The API group, once; its domain must be registered before anything is published. */
export const API_GROUP = 'tonearm.dev';
export const API_VERSION = 'v1alpha1';
export const API_GROUP_VERSION = `${API_GROUP}/${API_VERSION}`;

/** Counts the shapes of the CRDs. An operator refuses to reconcile on CRDs older than its own. */
export const SCHEMA_VERSION = 1;

export const LABELS = {
  cluster: 'tonearm.dev/cluster',
  replicaSet: 'tonearm.dev/replica-set',
  template: 'tonearm.dev/template',
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  partOf: 'app.kubernetes.io/part-of',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ANNOTATIONS = {
  /** `host:port` of an instance's HTTP server, where it is not the default. Written by the node. */
  httpAddress: 'tonearm.dev/http-address',
  /** Any value: the operator leaves the object alone. */
  paused: 'tonearm.dev/paused',
  /** The UUID of the replica set whose data may be lost. */
  acceptDataLoss: 'tonearm.dev/accept-data-loss',
  /** On a CRD: the SCHEMA_VERSION that it was generated from. */
  schemaVersion: 'tonearm.dev/schema-version',
} as const;

/** Keeps a ReplicaSet until it has been drained. */
export const FINALIZER = 'tonearm.dev/drain';

/** Stable for ever: server-side apply tells whose field is whose by these names. */
export const FIELD_MANAGERS = {
  spec: 'tonearm-operator',
  status: 'tonearm-operator-status',
} as const;

/** Set by the operator in every pod (and by nobody else). */
export const RESERVED_ENVIRONMENT = [
  'TONEARM_CLUSTER_UUID',
  'TONEARM_CLUSTER_NAME',
  'TONEARM_REPLICA_SET_UUID',
  'TONEARM_REPLICA_SET_NAME',
  'TONEARM_INSTANCE_NAME',
  'TONEARM_ADVERTISE_HOST',
  'TONEARM_HTTP_PORT',
  'TONEARM_PORT',
  'TONEARM_WORKDIR',
  'TONEARM_CLUSTER_COOKIE_FILE',
  'TONEARM_OPERATOR_KEYS_FILE',
] as const;

/** Sections of the cluster config that the system itself writes: never user config. */
export const SYSTEM_SECTIONS = [
  'topology',
  'vshard_groups',
  'vshard',
  'auth',
  'users_acl',
  'failover',
  'meta',
] as const;
