/**
 * How far a cluster has come, in words for those who see one for the first time. Pure.
 *
 * The operator's own reasons change several times a second while a cluster starts; a stage changes when something
 * that people can imagine has happened.
 */
import { listAt, textAt, valueAt } from '../embedded/api/json.ts';

export interface ClusterStage {
  readonly kind: 'refused' | 'planned' | 'starting' | 'joined' | 'ready';
  readonly text: string;
}

export interface StageFacts {
  /** The Cluster object. */
  readonly cluster: unknown;
  readonly hasPods: boolean;
  /** What the object says is of an earlier run: not all of its instances have run in this one. */
  readonly isStale: boolean;
}

export function stageOf({ cluster, hasPods, isStale }: StageFacts): ClusterStage {
  if (isStale) return { kind: 'starting', text: 'the instances start again with their data' };
  if (isTrue(cluster, 'Ready')) return { kind: 'ready', text: 'ready: it serves reads and writes' };
  if (conditionText(cluster, 'SpecValid', 'status') === 'False') {
    return { kind: 'refused', text: conditionText(cluster, 'SpecValid', 'message') };
  }
  if (isTrue(cluster, 'Bootstrapped')) {
    return { kind: 'joined', text: 'the instances know each other and choose their leaders' };
  }
  if (!hasPods) return { kind: 'planned', text: 'the operator reads the manifest' };
  return { kind: 'starting', text: 'the instances start, each as a process of its own' };
}

/** Why it is not ready, in the operator's words. */
export function obstacleOf(cluster: unknown): string {
  return conditionText(cluster, 'Ready', 'message');
}

/** Do all the pods serve, each in a process that began at this moment (in seconds, ISO 8601) or later? */
export function allRunSince(pods: readonly unknown[], began: string): boolean {
  const containers = pods.map((pod) => listAt(pod, 'status', 'containerStatuses'));
  return containers.every(
    (statuses) =>
      statuses.length > 0 &&
      statuses.every(
        (status) =>
          valueAt(status, 'ready') === true &&
          textAt(status, 'state', 'running', 'startedAt') >= began,
      ),
  );
}

export function isBootstrapped(cluster: unknown): boolean {
  return isTrue(cluster, 'Bootstrapped');
}

function isTrue(cluster: unknown, type: string): boolean {
  return conditionText(cluster, type, 'status') === 'True';
}

function conditionText(cluster: unknown, type: string, field: 'status' | 'message'): string {
  const conditions = listAt(cluster, 'status', 'conditions');
  return textAt(
    conditions.find((condition) => textAt(condition, 'type') === type),
    field,
  );
}
