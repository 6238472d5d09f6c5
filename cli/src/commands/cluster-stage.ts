/**
 * How far a cluster has come, in words for those who see one for the first time. Pure.
 *
 * The operator's own reasons change several times a second while a cluster starts; a stage changes when something
 * that people can imagine has happened.
 */
import { listAt, textAt } from '../embedded/api/json.ts';

export interface ClusterStage {
  readonly kind: 'refused' | 'planned' | 'starting' | 'joined' | 'ready';
  readonly text: string;
}

export interface StageFacts {
  /** The Cluster object. */
  readonly cluster: unknown;
  readonly hasPods: boolean;
}

export function stageOf({ cluster, hasPods }: StageFacts): ClusterStage {
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
