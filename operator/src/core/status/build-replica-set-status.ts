/** The statuses of the ReplicaSets of a cluster; only those that change. */
import { sameJson } from '@tonearm/runtime/config';
import { LABELS } from '../../api/names.ts';
import type { Member, ReplicaSet, ReplicaSetStatus } from '../../api/v1alpha1/replica-set.ts';
import { toJson } from '../config-draft.ts';
import { isIdentified, replicaSetUuidOf } from '../identity.ts';
import { mayHideConfig } from '../progress.ts';
import { replicaSetSelector } from '../resources/labels.ts';
import { isPresent, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { statusOf } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { isLeaving, memberSets, statefulSetOf } from '../wanted-sets.ts';
import { buildConditions, type Fact } from './conditions.ts';
import { explainReplicaSet, summarize } from './replica-set-facts.ts';

export function buildReplicaSetStatuses(
  snapshot: ClusterSnapshot,
  verdicts: readonly Verdict[],
): ReadonlyMap<string, ReplicaSetStatus> {
  const statuses = new Map<string, ReplicaSetStatus>();
  if (verdicts.some((verdict) => verdict.kind === 'stop' && verdict.refused)) return statuses;
  for (const replicaSet of memberSets(snapshot)) {
    const status = buildStatus(snapshot, replicaSet);
    const before = replicaSet.status;
    if (before !== undefined && sameJson(toJson(before), toJson(status))) continue;
    statuses.set(replicaSet.metadata.name, status);
  }
  return statuses;
}

function buildStatus(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): ReplicaSetStatus {
  const { name, generation = 0 } = replicaSet.metadata;
  const before = replicaSet.status;
  const { replicas, readyReplicas, leader } = summarize(snapshot, replicaSet);
  const isOpen = !isIdentified(snapshot, replicaSet) && mayHideConfig(snapshot);
  const selector = replicaSetSelector(snapshot.cluster.metadata.name, name);
  const bucketCount = countBuckets(snapshot, replicaSet) ?? before?.bucketCount;
  return {
    observedGeneration: generation,
    ...(isOpen ? {} : { uuid: replicaSetUuidOf(snapshot, replicaSet) }),
    replicas,
    readyReplicas,
    selector: Object.entries(selector)
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
    ...(leader === undefined ? {} : { leader }),
    members: seatsOf(snapshot, replicaSet)
      .filter((seat) => seat.instance !== undefined || seat.server !== undefined)
      .map((seat) => describeSeat(snapshot, seat)),
    ...(bucketCount === undefined ? {} : { bucketCount }),
    conditions: buildConditions(factsOf(snapshot, replicaSet), {
      before: before?.conditions,
      generation,
      nowMs: snapshot.nowMs,
    }),
  };
}

/** By the word of the leader; nothing while there is none. */
function countBuckets(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): number | undefined {
  const uuid = replicaSetUuidOf(snapshot, replicaSet);
  const views = snapshot.instances.map((instance) => statusOf(instance)?.replicaSet);
  return views.find((view) => view?.uuid === uuid && view.writable)?.bucketCount;
}

function describeSeat(snapshot: ClusterSnapshot, seat: Seat): Member {
  const { name, status, server, instance } = seat;
  const uuid = status?.uuid ?? server?.uuid;
  const version = status?.config.version;
  const isLagging = version !== undefined && version !== snapshot.config?.meta.version;
  return {
    name,
    ...(uuid === undefined ? {} : { uuid }),
    state: status?.state ?? (instance === undefined ? 'NoPod' : 'Silent'),
    ...(isLagging ? { configVersion: version } : {}),
  };
}

function factsOf(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Fact[] {
  const facts = [ready(snapshot, replicaSet), upToDate(snapshot, replicaSet)];
  facts.push(leaderElected(snapshot, replicaSet));
  if (isLeaving(snapshot, replicaSet)) {
    const message =
      'It is being removed: its instances are expelled when it owns no buckets; kubectl describe tcl tells what it waits for.';
    facts.push({ type: 'Draining', status: 'True', reason: 'Leaving', message });
  }
  return facts;
}

function ready(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): Fact {
  const problem =
    snapshot.config === undefined
      ? { reason: 'NotBootstrapped', message: 'No instance tells the cluster config.' }
      : explainReplicaSet(snapshot, replicaSet);
  if (problem !== undefined) return { type: 'Ready', status: 'False', ...problem };
  return { type: 'Ready', status: 'True', reason: 'Serving', message: 'It serves.' };
}

function upToDate(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): Fact {
  const { name } = replicaSet.metadata;
  const statefulSet = statefulSetOf(snapshot, replicaSet);
  const seats = seatsOf(snapshot, replicaSet);
  const absent = seats.find((seat) => seat.wanted && !isPresent(seat));
  const surplus = seats.find((seat) => !seat.wanted);
  const revision = statefulSet?.status?.updateRevision;
  const old = snapshot.pods.find(
    ({ metadata }) =>
      metadata.labels?.[LABELS.replicaSet] === name &&
      revision !== undefined &&
      metadata.labels['controller-revision-hash'] !== revision,
  );
  const fact = (reason: string, message: string): Fact => ({
    type: 'UpToDate',
    status: 'False',
    reason,
    message,
  });
  if (absent !== undefined)
    return fact('InstanceMissing', `Instance ${absent.name} has not joined.`);
  if (surplus !== undefined) return fact('InstanceLeaving', `Instance ${surplus.name} is leaving.`);
  if (old !== undefined) {
    const command = `kubectl delete pod ${old.metadata.name}`;
    return fact('PodsRunOldTemplate', `${command} brings it to the present template.`);
  }
  const message = 'Every instance is as the spec says.';
  return { type: 'UpToDate', status: 'True', reason: 'Realised', message };
}

function leaderElected(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): Fact {
  const { leader } = summarize(snapshot, replicaSet);
  if (leader === undefined) {
    const message = 'No instance accepts writes.';
    return { type: 'LeaderElected', status: 'False', reason: 'NoLeader', message };
  }
  const message = `${leader} accepts writes.`;
  return { type: 'LeaderElected', status: 'True', reason: 'Elected', message };
}
