/** Without an instance that appoints leaders nobody ever leads, or follows a leader that is lost. */
import { appointsLeaders } from '../roles.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

export function reportNoCoordinator(snapshot: ClusterSnapshot): readonly Verdict[] {
  const { cluster, roles } = snapshot;
  if (cluster.spec.failover.mode !== 'Stateful' || roles === undefined) return [];
  const hasCoordinator = memberSets(snapshot).some(
    (replicaSet) =>
      !isLeaving(snapshot, replicaSet) &&
      replicaSet.spec.replicas > 0 &&
      appointsLeaders(replicaSet.spec.roles, roles),
  );
  if (hasCoordinator) return [];
  const message =
    'No instance has the role failover-coordinator, so nobody appoints leaders: add it to the roles of a template with at least one replica.';
  return [{ kind: 'complain', reason: 'NoCoordinator', message }];
}
