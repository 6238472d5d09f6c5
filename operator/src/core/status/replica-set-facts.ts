/** What the statuses of a Cluster and of its ReplicaSets both say of a replica set. */
import type { InstanceStateName } from '@tonearm/runtime/contract';
import type { Pod } from '../../api/kube-object.ts';
import { LABELS } from '../../api/names.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { replicaSetUuidOf } from '../identity.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { statusOf } from '../snapshot.ts';
import { ownsBuckets, writableLeader } from '../topology.ts';
import type { Reason } from '../verdict.ts';

export interface ReplicaSetSummary {
  readonly name: string;
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly leader?: string;
}

export function summarize(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): ReplicaSetSummary {
  const { name } = replicaSet.metadata;
  const pods = snapshot.pods.filter((pod) => pod.metadata.labels?.[LABELS.replicaSet] === name);
  const leader = writableLeader(snapshot, replicaSetUuidOf(snapshot, replicaSet))?.podName;
  return {
    name,
    replicas: pods.length,
    readyReplicas: pods.filter(isPodReady).length,
    ...(leader === undefined ? {} : { leader }),
  };
}

export function isPodReady(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  const conditions = pod.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Why the replica set does not serve; nothing when it does. */
export function explainReplicaSet(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
): Reason | undefined {
  const { name } = replicaSet.metadata;
  const { readyReplicas, leader } = summarize(snapshot, replicaSet);
  if (replicaSet.spec.replicas > 0 && readyReplicas === 0) {
    return {
      reason: 'ReplicaSetNotReady',
      message: `No instance of ReplicaSet ${name} is ready: kubectl describe trs/${name} tells why.`,
    };
  }
  if (leader === undefined && ownsBuckets(snapshot, replicaSetUuidOf(snapshot, replicaSet))) {
    return {
      reason: 'NoLeader',
      message: `ReplicaSet ${name} has no leader that accepts writes: kubectl describe trs/${name} tells why.`,
    };
  }
  return undefined;
}

/** An instance stays in these until something happens to it; all others it leaves by itself. */
const RESTING: readonly InstanceStateName[] = [
  ...(['Unconfigured', 'RolesConfigured'] as const),
  ...(['InitError', 'BootError', 'OperationError', 'ReloadError'] as const),
];
/** A new leader is there within seconds; when it is not, somebody has to do something. */
const ELECTION_MS = 60_000;

/** Will its instances soon tell something else than now, without any event of Kubernetes? */
export function isReplicaSetMoving(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): boolean {
  const { name } = replicaSet.metadata;
  const states = snapshot.instances
    .filter((instance) => instance.replicaSet === name)
    .map((instance) => statusOf(instance)?.state);
  if (states.some((state) => state !== undefined && !RESTING.includes(state))) return true;
  if (replicaSet.spec.replicas === 0) return false;
  if (summarize(snapshot, replicaSet).leader !== undefined) return false;
  const elected = replicaSet.status?.conditions?.find(({ type }) => type === 'LeaderElected');
  const since = Date.parse(elected?.lastTransitionTime ?? '');
  return !(elected?.status === 'False' && snapshot.nowMs - since > ELECTION_MS);
}
