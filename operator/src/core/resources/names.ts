/**
 * Names of the objects that belong to a cluster. All are derived and none is generated: an operator with a stale view
 * meets its own object again instead of making a second one.
 */
import type { ObjectMeta } from '../../api/kube-object.ts';

export const PORTS = {
  http: 8081,
  iproto: 3301,
  etcdClient: 2379,
  etcdPeer: 2380,
  etcdMetrics: 2381,
};

/** Beside the labels of `api/names.ts`: what is needed to find the claims of a cluster that is gone. */
export const CLAIM_LABELS = {
  clusterUuid: 'tonearm.dev/cluster-uuid',
  replicaSetUuid: 'tonearm.dev/replica-set-uuid',
} as const;

/** Annotations by which the operator remembers, on the objects themselves, what it wanted of them. */
export const MEMORY = {
  /** Of the intent that was last applied: finds fields that the present intent no longer has. */
  intent: 'tonearm.dev/intent',
  /** Which builder made the pod template: a newer operator goes on using it. */
  templateVersion: 'tonearm.dev/template-version',
  /** The number of replicas that a template enforced last. */
  enforcedReplicas: 'tonearm.dev/enforced-replicas',
} as const;

export function templatedReplicaSetName(
  cluster: string,
  template: string,
  index: number | '',
): string {
  return `${cluster}-${template}-${index}`;
}

export function cookieSecretName(cluster: string): string {
  return `${cluster}-cookie`;
}

export function etcdName(cluster: string): string {
  return `${cluster}-etcd`;
}

export function adminServiceName(cluster: string): string {
  return `${cluster}-admin`;
}

export function templateServiceName(cluster: string, template: string): string {
  return `${cluster}-${template}`;
}

export function podName(statefulSet: string, ordinal: number): string {
  return `${statefulSet}-${ordinal}`;
}

/** The number behind the last dash of a pod's name; nothing when there is none. */
export function ordinalOf(pod: string): number | undefined {
  const match = /-(\d+)$/.exec(pod);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function namespaceOf(object: { readonly metadata: Pick<ObjectMeta, 'namespace'> }): string {
  return object.metadata.namespace ?? 'default';
}
