/**
 * Where an instance runs: what failover needs for a preferred zone, and to keep leaders apart (`docs/failover.md`).
 *
 * The node knows best: a pod may come back on another one. Where it tells no zone, that of the ReplicaSet holds.
 */
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import type { Seat } from './seats.ts';
import type { ClusterSnapshot } from './snapshot.ts';

export interface Place {
  /** Empty: none. */
  readonly zone: string;
  /** All labels that the instance is to have: those of others stay. */
  readonly labels: Readonly<Record<string, string>>;
}

export function placeOf(
  { nodeZones }: Pick<ClusterSnapshot, 'nodeZones'>,
  { spec }: ReplicaSet,
  { server, instance }: Pick<Seat, 'server' | 'instance'>,
): Place {
  const { node = '' } = instance ?? {};
  return {
    zone: nodeZones.get(node) ?? spec.zone ?? '',
    labels: { ...server?.labels, ...(node === '' ? {} : { node }) },
  };
}
