import { ANNOTATIONS } from '../../api/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { Verdict } from '../verdict.ts';

/** A person works on the cluster by hand: the operator only goes on reporting. */
export function skipWhenPaused({ cluster }: ClusterSnapshot): readonly Verdict[] {
  if (cluster.metadata.annotations?.[ANNOTATIONS.paused] === undefined) return [];
  return [
    {
      kind: 'stop',
      refused: false,
      reason: 'Paused',
      message: `The operator leaves this cluster alone until kubectl annotate tcl/${cluster.metadata.name} ${ANNOTATIONS.paused}- is run.`,
    },
  ];
}
