/**
 * Decides what a StatefulSet needs next: pods to create, adopt or delete, and its status. Pure.
 *
 * The rules are those of the Kubernetes controller. A name is never used twice at a time: while a pod is
 * terminating nothing is created in its place. Parallel sets create and remove all at once, highest ordinal first;
 * ordered sets one by one, and only while every earlier pod is ready. Scaling comes before updating. OnDelete never
 * touches a running pod; a new pod always gets the newest template. Claims are never deleted.
 */

import type { StatefulSetStatus } from '../objects.ts';
import { controllerUid, isReady, isTerminating, type Pod, type StatefulSet } from '../objects.ts';
import { ordinalOf, podName, REVISION_LABEL, revisionOf } from './build-pod.ts';

export interface StatefulSetSnapshot {
  readonly set: StatefulSet;
  /** Pods of the namespace that the set controls, or that match its selector and have no controller. */
  readonly pods: readonly Pod[];
}

export type StatefulSetStep =
  | { readonly kind: 'create-pod'; readonly ordinal: number; readonly reason: string }
  | { readonly kind: 'adopt-pod'; readonly pod: Pod; readonly reason: string }
  | { readonly kind: 'delete-pod'; readonly pod: Pod; readonly reason: string };

export interface StatefulSetPlan {
  readonly steps: readonly StatefulSetStep[];
  readonly status: StatefulSetStatus;
  readonly updateRevision: string;
}

interface Slot {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

export function planStatefulSet(snapshot: StatefulSetSnapshot): StatefulSetPlan {
  const { set } = snapshot;
  const updateRevision = revisionOf(set);
  const pods = snapshot.pods
    .filter((pod) => ordinalOf(set, pod.metadata.name) !== undefined)
    .toSorted((left, right) => ordinal(set, left) - ordinal(set, right));
  const status = buildStatus(set, pods, updateRevision);
  // A set that is being deleted leaves its pods to the garbage collector.
  if (isTerminating(set)) return { steps: [], status, updateRevision };
  const adopted: StatefulSetStep[] = pods
    .filter((pod) => controllerUid(pod) === undefined && !isTerminating(pod))
    .map((pod) => ({
      kind: 'adopt-pod',
      pod,
      reason: 'it matches the selector, and has no owner',
    }));
  const isParallel = set.spec.podManagementPolicy === 'Parallel';
  const scaling = isParallel ? planParallel(set, pods) : planOrdered(set, pods);
  const updating = scaling.length > 0 ? [] : planUpdate(set, pods, updateRevision);
  return { steps: [...adopted, ...scaling, ...updating], status, updateRevision };
}

function planParallel(set: StatefulSet, pods: readonly Pod[]): StatefulSetStep[] {
  const steps: StatefulSetStep[] = [];
  for (const slot of wantedSlots(set, pods)) {
    const step = planSlot(slot);
    if (step !== undefined) steps.push(step);
  }
  for (const pod of condemnedPods(set, pods)) {
    if (!isTerminating(pod)) steps.push(removal(pod));
  }
  return steps;
}

function planOrdered(set: StatefulSet, pods: readonly Pod[]): StatefulSetStep[] {
  for (const slot of wantedSlots(set, pods)) {
    const step = planSlot(slot);
    if (step !== undefined) return [step];
    if (slot.pod === undefined || isTerminating(slot.pod) || !isReady(slot.pod)) return [];
  }
  const [highest] = condemnedPods(set, pods);
  return highest === undefined || isTerminating(highest) ? [] : [removal(highest)];
}

function planSlot({ ordinal: at, pod }: Slot): StatefulSetStep | undefined {
  if (pod === undefined) return { kind: 'create-pod', ordinal: at, reason: 'it is missing' };
  const isOver = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  if (!isOver || isTerminating(pod)) return undefined;
  return { kind: 'delete-pod', pod, reason: 'it has ended, and is made anew' };
}

function planUpdate(set: StatefulSet, pods: readonly Pod[], revision: string): StatefulSetStep[] {
  if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return [];
  const isSettled = pods.every((pod) => !isTerminating(pod));
  const outdated = pods.toReversed().find((pod) => revisionLabel(pod) !== revision);
  if (outdated === undefined || !isSettled) return [];
  const isOthersReady = pods.every((pod) => pod === outdated || isReady(pod));
  if (!isOthersReady) return [];
  return [{ kind: 'delete-pod', pod: outdated, reason: 'its template is outdated' }];
}

function wantedSlots(set: StatefulSet, pods: readonly Pod[]): Slot[] {
  const start = set.spec.ordinals?.start ?? 0;
  const byName = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  return Array.from({ length: set.spec.replicas ?? 1 }, (_, index) => ({
    ordinal: start + index,
    pod: byName.get(podName(set, start + index)),
  }));
}

/** Highest ordinal first. */
function condemnedPods(set: StatefulSet, pods: readonly Pod[]): Pod[] {
  const wanted = new Set(wantedSlots(set, pods).map((slot) => podName(set, slot.ordinal)));
  return pods.filter((pod) => !wanted.has(pod.metadata.name)).toReversed();
}

function removal(pod: Pod): StatefulSetStep {
  return { kind: 'delete-pod', pod, reason: 'the set has fewer replicas now' };
}

function buildStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  updateRevision: string,
): StatefulSetStatus {
  const currentRevision = chooseCurrentRevision(set, pods, updateRevision);
  const ready = pods.filter(isReady).length;
  const alive = pods.filter((pod) => !isTerminating(pod));
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    readyReplicas: ready,
    availableReplicas: ready,
    currentReplicas: alive.filter((pod) => revisionLabel(pod) === currentRevision).length,
    updatedReplicas: alive.filter((pod) => revisionLabel(pod) === updateRevision).length,
    currentRevision,
    updateRevision,
    collisionCount: 0,
  };
}

/** Under OnDelete the current revision stays what it was first, as in Kubernetes: only a rollout completes it. */
function chooseCurrentRevision(
  set: StatefulSet,
  pods: readonly Pod[],
  updateRevision: string,
): string {
  const known = set.status?.currentRevision ?? updateRevision;
  if (set.spec.updateStrategy?.type === 'OnDelete') return known;
  const isComplete =
    pods.length === (set.spec.replicas ?? 1) &&
    pods.every((pod) => isReady(pod) && revisionLabel(pod) === updateRevision);
  return isComplete ? updateRevision : known;
}

function revisionLabel(pod: Pod): string | undefined {
  return pod.metadata.labels?.[REVISION_LABEL];
}

function ordinal(set: StatefulSet, pod: Pod): number {
  return ordinalOf(set, pod.metadata.name) ?? 0;
}
