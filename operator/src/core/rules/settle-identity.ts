/**
 * The identity of the cluster is settled before anything is made: claims, keys of the state provider and instances
 * carry it for ever. It goes into the status, which is written before any other action of the round.
 */
import { identifyCluster } from '../identity.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';

export function settleIdentity(snapshot: ClusterSnapshot): readonly Verdict[] {
  const { cluster } = snapshot;
  const identity = identifyCluster(snapshot);
  const name = cluster.metadata.name;
  if (identity.kind === 'ambiguous') {
    return [
      {
        kind: 'stop',
        refused: true,
        reason: 'ClaimsAmbiguous',
        message: `Claims of several clusters named ${name} exist (${identity.uuids.join(', ')}): delete those that are not to be taken over; kubectl get pvc -l tonearm.dev/cluster=${name} -L tonearm.dev/cluster-uuid shows them.`,
      },
    ];
  }
  if (identity.source === 'claims' && cluster.spec.bootstrap.mode === 'New') {
    return [
      {
        kind: 'stop',
        refused: true,
        reason: 'ClaimsExist',
        message: `spec.bootstrap.mode is New, but claims of an earlier cluster ${name} exist: use Auto to take them over, or delete them with kubectl delete pvc -l tonearm.dev/cluster=${name}.`,
      },
    ];
  }
  return [];
}
