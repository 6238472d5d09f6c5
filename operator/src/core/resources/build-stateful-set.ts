/**
 * The StatefulSet of one replica set.
 *
 * The pod template is a function of the custom resources and of a recorded template version, and of nothing else: a
 * newer operator goes on building the old template for sets that carry the old version, so upgrading the operator
 * restarts no pod. Golden files in `testdata/` pin every version.
 */
import type {
  Container,
  EnvironmentVariable,
  PodSpec,
  StatefulSet,
} from '../../api/kube-object.ts';
import { LABELS } from '../../api/names.ts';
import type { Cluster } from '../../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import type { Intent } from '../verdict.ts';
import { clusterLabels, replicaSetSelector } from './labels.ts';
import { CLAIM_LABELS, cookieSecretName, MEMORY, namespaceOf, PORTS } from './names.ts';
import { ownerReference } from './owner.ts';

export const TEMPLATE_VERSION = 1;

export interface StatefulSetWish {
  readonly cluster: Cluster;
  readonly clusterUuid: string;
  readonly replicaSet: ReplicaSet;
  readonly replicaSetUuid: string;
  readonly replicas: number;
  /** The present one: what cannot change is taken over from it. */
  readonly found: StatefulSet | undefined;
}

const WORKDIR_MOUNT = '/var/lib/tonearm';
const SECRETS_MOUNT = '/etc/tonearm';
const DATA_VOLUME = 'data';

/** Any user that is not root; numeric, because the kubelet cannot check names against runAsNonRoot. */
const USER_ID = 10001;

/** Handover at most 10 s, requests at most 10 s, the last sync of the log and a margin. */
const TERMINATION_GRACE_SECONDS = 60;

export function buildStatefulSet(wish: StatefulSetWish): Intent {
  const { cluster, replicaSet } = wish;
  const name = replicaSet.metadata.name;
  const selector = replicaSetSelector(cluster.metadata.name, name);
  const labels = instanceLabels(wish);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      labels,
      annotations: { [MEMORY.templateVersion]: String(templateVersionOf(wish.found)) },
      ownerReferences: [ownerReference(replicaSet)],
    },
    spec: {
      replicas: wish.replicas,
      serviceName: cluster.metadata.name,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      revisionHistoryLimit: 5,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: selector },
      template: { metadata: { labels }, spec: buildPodSpec(wish) },
      ...(replicaSet.spec.volume === undefined
        ? {}
        : { volumeClaimTemplates: buildClaimTemplates(wish) }),
    },
  };
}

/** The version of the builder that made the present pod template; the newest for a new StatefulSet. */
export function templateVersionOf(found: StatefulSet | undefined): number {
  const recorded = found?.metadata.annotations?.[MEMORY.templateVersion];
  return recorded === undefined ? TEMPLATE_VERSION : Number(recorded);
}

function instanceLabels({ cluster, replicaSet }: StatefulSetWish): Record<string, string> {
  const template = replicaSet.metadata.labels?.[LABELS.template];
  return {
    ...clusterLabels(cluster.metadata.name, 'instance'),
    [LABELS.replicaSet]: replicaSet.metadata.name,
    ...(template === undefined ? {} : { [LABELS.template]: template }),
  };
}

function buildPodSpec(wish: StatefulSetWish): PodSpec {
  const { cluster, replicaSet } = wish;
  const pullSecrets = cluster.spec.imagePullSecrets;
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: TERMINATION_GRACE_SECONDS,
    ...(pullSecrets === undefined ? {} : { imagePullSecrets: pullSecrets }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    affinity: buildAffinity(wish),
    containers: [buildContainer(wish)],
    volumes: [
      { name: 'secrets', secret: { secretName: cookieSecretName(cluster.metadata.name) } },
      { name: 'tmp', emptyDir: {} },
      ...(replicaSet.spec.volume === undefined ? [{ name: DATA_VOLUME, emptyDir: {} }] : []),
    ],
  };
}

/** Instances of one replica set on different nodes, where there are enough. */
function buildAffinity({ cluster, replicaSet }: StatefulSetWish): Record<string, unknown> {
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          podAffinityTerm: {
            topologyKey: 'kubernetes.io/hostname',
            labelSelector: {
              matchLabels: replicaSetSelector(cluster.metadata.name, replicaSet.metadata.name),
            },
          },
        },
      ],
    },
  };
}

function buildContainer(wish: StatefulSetWish): Container {
  const { cluster, replicaSet } = wish;
  const resources = replicaSet.spec.resources;
  return {
    name: 'instance',
    image: cluster.spec.image,
    imagePullPolicy: cluster.spec.imagePullPolicy,
    env: buildEnvironment(wish),
    ports: [
      { name: 'http', containerPort: PORTS.http, protocol: 'TCP' },
      { name: 'iproto', containerPort: PORTS.iproto, protocol: 'TCP' },
    ],
    ...(resources === undefined ? {} : { resources }),
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: WORKDIR_MOUNT },
      { name: 'secrets', mountPath: SECRETS_MOUNT, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    // An hour to recover: a large log takes its time, and killing the process would only start it over.
    startupProbe: probe('/health/startup', { periodSeconds: 2, failureThreshold: 1800 }),
    livenessProbe: probe('/health/live', { periodSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probe('/health/ready', { periodSeconds: 2, failureThreshold: 2 }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

interface ProbeTiming {
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

function probe(path: string, timing: ProbeTiming): Container['livenessProbe'] {
  return { httpGet: { path, port: 'http' }, timeoutSeconds: 3, ...timing };
}

/** The operator's own variables first: Kubernetes expands `$(NAME)` only from what stands before. */
function buildEnvironment(wish: StatefulSetWish): readonly EnvironmentVariable[] {
  const { cluster, replicaSet } = wish;
  const domain = `${cluster.metadata.name}.${namespaceOf(cluster)}.svc`;
  const reserved: readonly EnvironmentVariable[] = [
    { name: 'TONEARM_CLUSTER_UUID', value: wish.clusterUuid },
    { name: 'TONEARM_CLUSTER_NAME', value: cluster.metadata.name },
    { name: 'TONEARM_REPLICA_SET_UUID', value: wish.replicaSetUuid },
    { name: 'TONEARM_REPLICA_SET_NAME', value: replicaSet.metadata.name },
    { name: 'TONEARM_INSTANCE_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'TONEARM_ADVERTISE_HOST', value: `$(TONEARM_INSTANCE_NAME).${domain}` },
    { name: 'TONEARM_HTTP_PORT', value: String(PORTS.http) },
    { name: 'TONEARM_PORT', value: String(PORTS.iproto) },
    { name: 'TONEARM_WORKDIR', value: `${WORKDIR_MOUNT}/data` },
    { name: 'TONEARM_CLUSTER_COOKIE_FILE', value: `${SECRETS_MOUNT}/cookie` },
    { name: 'TONEARM_OPERATOR_KEYS_FILE', value: `${SECRETS_MOUNT}/operator-keys` },
  ];
  const own = new Map((cluster.spec.env ?? []).map((variable) => [variable.name, variable]));
  for (const variable of replicaSet.spec.env ?? []) own.set(variable.name, variable);
  return [...reserved, ...own.values()] as readonly EnvironmentVariable[];
}

/** Claim templates can never change, so those of a StatefulSet that exists are taken as they are. */
function buildClaimTemplates(wish: StatefulSetWish): unknown {
  const { cluster, replicaSet, found } = wish;
  const kept = found?.spec.volumeClaimTemplates?.map(({ metadata, spec }) => ({
    metadata: { name: metadata.name, labels: metadata.labels },
    spec: withoutStatus(spec),
  }));
  if (kept !== undefined) return kept;
  const volume = replicaSet.spec.volume;
  return [
    {
      metadata: {
        name: DATA_VOLUME,
        labels: {
          ...clusterLabels(cluster.metadata.name, 'instance'),
          [LABELS.replicaSet]: replicaSet.metadata.name,
          [CLAIM_LABELS.clusterUuid]: wish.clusterUuid,
          [CLAIM_LABELS.replicaSetUuid]: wish.replicaSetUuid,
        },
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        ...(volume?.storageClassName === undefined
          ? {}
          : { storageClassName: volume.storageClassName }),
        resources: { requests: { storage: volume?.size } },
      },
    },
  ];
}

type ClaimSpec = NonNullable<StatefulSet['spec']['volumeClaimTemplates']>[number]['spec'];

/** Only the fields that the operator itself writes: the server fills in others, which are not its to own. */
function withoutStatus(spec: ClaimSpec): unknown {
  return {
    accessModes: spec.accessModes,
    ...(spec.storageClassName === undefined ? {} : { storageClassName: spec.storageClassName }),
    resources: spec.resources,
  };
}
