/** Pods that run an older template than their StatefulSet: rolling updates are not made yet, so people are told. */
import type { Pod } from '../../api/kube-object.ts';
import { LABELS } from '../../api/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';
import { memberSets, statefulSetOf } from '../wanted-sets.ts';

const REVISION_LABEL = 'controller-revision-hash';

export function reportOldTemplates(snapshot: ClusterSnapshot): readonly Verdict[] {
  const old = memberSets(snapshot).flatMap((replicaSet) => {
    const revision = statefulSetOf(snapshot, replicaSet)?.status?.updateRevision;
    if (revision === undefined) return [];
    return podsOf(snapshot, replicaSet.metadata.name).filter(
      (pod) => pod.metadata.labels?.[REVISION_LABEL] !== revision,
    );
  });
  if (old.length === 0) return [];
  const names = old.map((pod) => pod.metadata.name).toSorted();
  return [
    {
      kind: 'refuse',
      reason: 'PodsRunOldTemplate',
      message: `${names.length} pods run an older template, and rolling updates are not supported yet: delete them one at a time, each when the one before is ready; next is kubectl delete pod ${names.at(-1) ?? ''}.`,
    },
  ];
}

function podsOf(snapshot: ClusterSnapshot, replicaSet: string): readonly Pod[] {
  return snapshot.pods.filter((pod) => pod.metadata.labels?.[LABELS.replicaSet] === replicaSet);
}
