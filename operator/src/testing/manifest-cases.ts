/**
 * Manifests that must be refused, with the field and the rule. The validator is tested with them; so is every API
 * server that carries the CRDs.
 */
import type { FieldProblem } from '../api/index.ts';

export interface ManifestCase {
  readonly title: string;
  readonly object: ManifestObject;
  /** Set for an update: what is stored already. */
  readonly old?: ManifestObject;
  readonly problem: FieldProblem;
}

export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: 'Cluster' | 'ReplicaSet';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

export function clusterManifest(spec: Fields = {}, name = 'employees'): ManifestObject {
  return {
    apiVersion: 'tonearm.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name, namespace: 'default' },
    spec: { image: 'localhost/tonearm/employees:dev', ...spec },
  };
}

export function replicaSetManifest(
  spec: Fields = {},
  name = 'employees-storage-1',
): ManifestObject {
  return {
    apiVersion: 'tonearm.dev/v1alpha1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'default' },
    spec: { clusterName: 'employees', ...spec },
  };
}

function withTemplate(template: Fields): ManifestObject {
  return clusterManifest({ replicaSets: [{ name: 'storage', ...template }] });
}

function withProvider(stateProvider: Fields): ManifestObject {
  return clusterManifest({ failover: { stateProvider } });
}

/** Refused by the schema itself; the wording differs between servers, the field does not. */
export const MALFORMED: readonly ManifestCase[] = [
  {
    title: 'a cluster without an image',
    object: { ...clusterManifest(), spec: {} },
    problem: { field: 'spec.image', message: 'Required value' },
  },
  {
    title: 'a failover mode that does not exist',
    object: clusterManifest({ failover: { mode: 'stateful' } }),
    problem: {
      field: 'spec.failover.mode',
      message:
        'Unsupported value: "stateful": supported values: "Disabled", "Eventual", "Stateful", "Raft"',
    },
  },
  {
    title: 'a negative weight',
    object: withTemplate({ weight: -1 }),
    problem: {
      field: 'spec.replicaSets[0].weight',
      message: 'Too small: expected number to be >=0',
    },
  },
  {
    title: 'text for a number',
    object: clusterManifest({ bucketCount: '3000' }),
    problem: {
      field: 'spec.bucketCount',
      message: 'Invalid input: expected number, received string',
    },
  },
  {
    title: 'a template name with capitals',
    object: clusterManifest({ replicaSets: [{ name: 'Storage' }] }),
    problem: {
      field: 'spec.replicaSets[0].name',
      message: 'Invalid value: "Storage": should match /^[a-z]([-a-z0-9]*[a-z0-9])?$/',
    },
  },
  {
    title: 'a volume of no size',
    object: withTemplate({ volume: { size: 'big' } }),
    problem: {
      field: 'spec.replicaSets[0].volume.size',
      message:
        'Invalid value: "big": should match /^[0-9]{1,15}(\\.[0-9]{1,6})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/',
    },
  },
  {
    title: 'more replicas than a set may have',
    object: replicaSetManifest({ replicas: 32 }),
    problem: { field: 'spec.replicas', message: 'Too big: expected number to be <=31' },
  },
  {
    title: 'a lease for ever',
    object: clusterManifest({ failover: { fencing: { ttlSeconds: 600 } } }),
    problem: {
      field: 'spec.failover.fencing.ttlSeconds',
      message: 'Too big: expected number to be <=60',
    },
  },
  {
    title: 'two templates of one name',
    object: clusterManifest({ replicaSets: [{ name: 'storage' }, { name: 'storage' }] }),
    problem: { field: 'spec.replicaSets[1]', message: 'Duplicate value: {"name":"storage"}' },
  },
  {
    title: 'a role twice',
    object: replicaSetManifest({ roles: ['metrics', 'metrics'] }),
    problem: { field: 'spec.roles[1]', message: 'Duplicate value: "metrics"' },
  },
];

/** Refused by a rule; field and message are the same on every server. */
export const AGAINST_RULES: readonly ManifestCase[] = [
  {
    title: 'a cluster name that leaves no room for the names of pods',
    object: clusterManifest({}, 'a'.repeat(41)),
    problem: {
      field: '',
      message:
        'the name of a Cluster has at most 40 lower-case letters, digits and dashes, and begins with a letter',
    },
  },
  {
    title: 'a cluster name that begins with a digit',
    object: clusterManifest({}, '1st'),
    problem: {
      field: '',
      message:
        'the name of a Cluster has at most 40 lower-case letters, digits and dashes, and begins with a letter',
    },
  },
  {
    title: 'names that are too long together',
    object: clusterManifest({ replicaSets: [{ name: 'b'.repeat(20) }] }, 'a'.repeat(30)),
    problem: {
      field: 'spec.replicaSets',
      message: 'the names of the cluster and of a template have together at most 47 characters',
    },
  },
  {
    title: 'a template named as the etcd of the cluster',
    object: clusterManifest({ replicaSets: [{ name: 'etcd' }] }),
    problem: {
      field: 'spec.replicaSets[0].name',
      message: 'the names admin, etcd, stateboard, cookie are taken by the cluster itself',
    },
  },
  {
    title: 'replicas and initialReplicas',
    object: withTemplate({ replicas: 2, initialReplicas: 2 }),
    problem: {
      field: 'spec.replicaSets[0]',
      message: 'give replicas (enforced) or initialReplicas (only at creation), not both',
    },
  },
  {
    title: 'a storage without a place for its rows',
    object: withTemplate({ roles: ['vshard-storage'] }),
    problem: {
      field: 'spec.replicaSets[0]',
      message: 'a storage needs a volume, or ephemeral: true',
    },
  },
  {
    title: 'a volume for what is ephemeral',
    object: replicaSetManifest({ ephemeral: true, volume: { size: '1Gi' } }),
    problem: { field: 'spec.ephemeral', message: 'give a volume or ephemeral: true, not both' },
  },
  {
    title: 'an empty volume',
    object: replicaSetManifest({ volume: { size: '0Gi' } }),
    problem: { field: 'spec.volume.size', message: 'a volume needs a size above zero' },
  },
  {
    title: 'another bucket count',
    old: clusterManifest({ bucketCount: 3000 }),
    object: clusterManifest({ bucketCount: 3001 }),
    problem: {
      field: 'spec.bucketCount',
      message: 'bucketCount is fixed for the life of a cluster',
    },
  },
  {
    title: 'a bucket count left out after it was given',
    old: clusterManifest({ bucketCount: 3000 }),
    object: clusterManifest(),
    problem: {
      field: 'spec.bucketCount',
      message: 'bucketCount is fixed for the life of a cluster',
    },
  },
  {
    title: 'a volume of a template that shrinks',
    old: withTemplate({ volume: { size: '1Gi' } }),
    object: withTemplate({ volume: { size: '1000Mi' } }),
    problem: { field: 'spec.replicaSets[0].volume.size', message: 'a volume may only grow' },
  },
  {
    title: 'a volume that shrinks',
    old: replicaSetManifest({ volume: { size: '1.5Gi' } }),
    object: replicaSetManifest({ volume: { size: '1.5G' } }),
    problem: { field: 'spec.volume.size', message: 'a volume may only grow' },
  },
  {
    title: 'a volume taken away',
    old: replicaSetManifest({ volume: { size: '1Gi' } }),
    object: replicaSetManifest(),
    problem: {
      field: 'spec.volume',
      message: 'a volume cannot be added to or taken from instances that exist',
    },
  },
  {
    title: 'another storage class',
    old: replicaSetManifest({ volume: { size: '1Gi' } }),
    object: replicaSetManifest({ volume: { size: '1Gi', storageClassName: 'fast' } }),
    problem: {
      field: 'spec.volume.storageClassName',
      message: 'the storage class of a volume cannot be changed',
    },
  },
  {
    title: 'another cluster',
    old: replicaSetManifest(),
    object: replicaSetManifest({ clusterName: 'customers' }),
    problem: {
      field: 'spec.clusterName',
      message: 'a replica set cannot move to another cluster',
    },
  },
  {
    title: "a replica set with the name of the cluster's etcd",
    object: replicaSetManifest({}, 'employees-etcd'),
    problem: { field: '', message: "this name belongs to the cluster's etcd" },
  },
  {
    title: 'two state providers',
    object: withProvider({ etcd: { managed: {} }, stateboard: {} }),
    problem: {
      field: 'spec.failover.stateProvider',
      message: 'stateProvider is exactly one of etcd and stateboard',
    },
  },
  {
    title: 'an etcd that is both managed and given',
    object: withProvider({ etcd: { managed: {}, endpoints: ['http://etcd:2379'] } }),
    problem: {
      field: 'spec.failover.stateProvider.etcd',
      message: 'etcd is either managed or has endpoints',
    },
  },
  {
    title: 'credentials for a managed etcd',
    object: withProvider({ etcd: { managed: {}, credentialsSecretName: 'etcd' } }),
    problem: {
      field: 'spec.failover.stateProvider.etcd',
      message: 'credentialsSecretName and tlsSecretName go with endpoints only',
    },
  },
  {
    title: 'an endpoint without a scheme',
    object: withProvider({ etcd: { endpoints: ['http://one:2379', 'two:2379'] } }),
    problem: {
      field: 'spec.failover.stateProvider.etcd.endpoints[1]',
      message: 'an etcd endpoint is http:// or https:// with a host and a port',
    },
  },
  {
    title: 'fencing that comes no earlier than failover',
    object: clusterManifest({ failover: { mode: 'Eventual', fencing: { mode: 'Connectivity' } } }),
    problem: {
      field: 'spec.failover',
      message:
        'with fencing.mode Connectivity failoverTimeoutSeconds must be longer than fencing.timeoutSeconds, and that not shorter than fencing.pauseSeconds',
    },
  },
  {
    title: 'a variable that the operator sets',
    object: clusterManifest({ env: [{ name: 'TONEARM_WORKDIR', value: '/tmp' }] }),
    problem: { field: 'spec.env[0].name', message: 'this variable is set by the operator' },
  },
  {
    title: 'a variable with two values',
    object: clusterManifest({
      env: [{ name: 'A', value: 'a', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
    }),
    problem: { field: 'spec.env[0]', message: 'give value or valueFrom, not both' },
  },
  {
    title: 'a variable from nowhere',
    object: clusterManifest({ env: [{ name: 'A', valueFrom: {} }] }),
    problem: {
      field: 'spec.env[0].valueFrom',
      message: 'valueFrom names exactly one of secretKeyRef and configMapKeyRef',
    },
  },
  {
    title: 'a source of sections that names two',
    object: clusterManifest({ configFrom: [{ configMapName: 'a', secretName: 'b' }] }),
    problem: {
      field: 'spec.configFrom[0]',
      message: 'give exactly one of configMapName and secretName',
    },
  },
  {
    title: 'a section of the system',
    object: clusterManifest({ config: { topology: {} } }),
    problem: {
      field: 'spec.config.topology',
      message: 'the section topology belongs to the system: use the fields of this object',
    },
  },
];

/** Refused by the operator alone, with a condition: CEL does not see the names of open objects. */
export const BEYOND_CEL: readonly ManifestCase[] = [
  {
    title: 'a section name that is no file name',
    object: clusterManifest({ config: { '../secrets': {} } }),
    problem: {
      field: 'spec.config',
      message: 'a section name is letters, digits, dots, dashes and underscores, at most 128',
    },
  },
];
