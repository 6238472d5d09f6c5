/**
 * The etcd that the operator runs for a cluster: a StatefulSet with a retained claim, and the headless Service by
 * which its members find each other. Its size is fixed at creation: etcd's own membership is not edited here.
 */
import { LABELS } from '../../api/names.ts';
import type { Cluster } from '../../api/v1alpha1/cluster.ts';
import type { Intent } from '../verdict.ts';
import { clusterLabels } from './labels.ts';
import { CLAIM_LABELS, etcdName, namespaceOf, PORTS, podName } from './names.ts';
import { ownerReference } from './owner.ts';

export interface EtcdWish {
  readonly cluster: Cluster;
  readonly clusterUuid: string;
  readonly replicas: number;
  readonly image: string;
}

/** Appointments, leases and decisions of a large cluster take a few megabytes; the rest is history until compacted. */
const QUOTA_BYTES = 512 * 1024 * 1024;
const VOLUME_SIZE = '2Gi';
const DATA_MOUNT = '/var/lib/etcd';
const USER_ID = 10001;

export function etcdEndpoints(cluster: Cluster, replicas: number): readonly string[] {
  return ordinals(replicas).map(
    (ordinal) => `http://${memberHost(cluster, ordinal)}:${PORTS.etcdClient}`,
  );
}

export function buildEtcdService(cluster: Cluster): Intent {
  const name = etcdName(cluster.metadata.name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      labels: clusterLabels(cluster.metadata.name, 'etcd'),
      ownerReferences: [ownerReference(cluster)],
    },
    spec: {
      clusterIP: 'None',
      // They need each other's addresses to become ready.
      publishNotReadyAddresses: true,
      selector: etcdSelector(cluster),
      ports: [
        { name: 'client', port: PORTS.etcdClient, targetPort: 'client', protocol: 'TCP' },
        { name: 'peer', port: PORTS.etcdPeer, targetPort: 'peer', protocol: 'TCP' },
      ],
    },
  };
}

export function buildEtcdStatefulSet(wish: EtcdWish): Intent {
  const { cluster } = wish;
  const name = etcdName(cluster.metadata.name);
  const labels = clusterLabels(cluster.metadata.name, 'etcd');
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name,
      namespace: namespaceOf(cluster),
      labels,
      ownerReferences: [ownerReference(cluster)],
    },
    spec: {
      replicas: wish.replicas,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      revisionHistoryLimit: 5,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: etcdSelector(cluster) },
      template: { metadata: { labels }, spec: buildPodSpec(wish) },
      volumeClaimTemplates: [
        {
          metadata: {
            name: 'data',
            labels: { ...labels, [CLAIM_LABELS.clusterUuid]: wish.clusterUuid },
          },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: VOLUME_SIZE } },
          },
        },
      ],
    },
  };
}

function etcdSelector(cluster: Cluster): Record<string, string> {
  return { [LABELS.cluster]: cluster.metadata.name, [LABELS.component]: 'etcd' };
}

function buildPodSpec(wish: EtcdWish): Record<string, unknown> {
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 30,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'etcd',
        image: wish.image,
        command: ['etcd', ...buildArguments(wish)],
        env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        ports: [
          { name: 'client', containerPort: PORTS.etcdClient, protocol: 'TCP' },
          { name: 'peer', containerPort: PORTS.etcdPeer, protocol: 'TCP' },
          { name: 'metrics', containerPort: PORTS.etcdMetrics, protocol: 'TCP' },
        ],
        volumeMounts: [{ name: 'data', mountPath: DATA_MOUNT }],
        // "serializable" asks this member alone: losing the others must not restart it.
        livenessProbe: probe('/health?serializable=true', {
          periodSeconds: 10,
          failureThreshold: 6,
        }),
        readinessProbe: probe('/health', { periodSeconds: 2, failureThreshold: 3 }),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  };
}

interface ProbeTiming {
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

function probe(path: string, timing: ProbeTiming): Record<string, unknown> {
  return { httpGet: { path, port: 'metrics' }, timeoutSeconds: 5, ...timing };
}

function buildArguments({ cluster, clusterUuid, replicas }: EtcdWish): readonly string[] {
  const own = `$(POD_NAME).${domain(cluster)}`;
  const members = ordinals(replicas).map((ordinal) => {
    const member = podName(etcdName(cluster.metadata.name), ordinal);
    return `${member}=http://${memberHost(cluster, ordinal)}:${PORTS.etcdPeer}`;
  });
  return [
    '--name=$(POD_NAME)',
    `--data-dir=${DATA_MOUNT}/data`,
    `--listen-client-urls=http://0.0.0.0:${PORTS.etcdClient}`,
    `--advertise-client-urls=http://${own}:${PORTS.etcdClient}`,
    `--listen-peer-urls=http://0.0.0.0:${PORTS.etcdPeer}`,
    `--initial-advertise-peer-urls=http://${own}:${PORTS.etcdPeer}`,
    `--listen-metrics-urls=http://0.0.0.0:${PORTS.etcdMetrics}`,
    `--initial-cluster=${members.join(',')}`,
    '--initial-cluster-state=new',
    `--initial-cluster-token=${clusterUuid}`,
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    `--quota-backend-bytes=${QUOTA_BYTES}`,
  ];
}

function domain(cluster: Cluster): string {
  return `${etcdName(cluster.metadata.name)}.${namespaceOf(cluster)}.svc`;
}

function memberHost(cluster: Cluster, ordinal: number): string {
  return `${podName(etcdName(cluster.metadata.name), ordinal)}.${domain(cluster)}`;
}

function ordinals(count: number): readonly number[] {
  return Array.from({ length: count }, (_, ordinal) => ordinal);
}
