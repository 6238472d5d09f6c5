import { sameJson } from '@tonearm/runtime/config';
import type { FailoverConfig } from '@tonearm/runtime/contract';
import { toJson } from '../config-draft.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import { readTopology } from '../topology.ts';
import type { Verdict } from '../verdict.ts';

/** How leaders are chosen, from `spec.failover` to the config. Changes of mode and provider were refused before. */
export function keepFailover(snapshot: ClusterSnapshot): readonly Verdict[] {
  const failover = wantedFailover(snapshot);
  const present = readTopology(snapshot.config).failover;
  if (snapshot.config !== undefined && sameJson(toJson(present), toJson(failover))) return [];
  return [
    {
      kind: 'edit',
      edit: (draft) => ({
        kind: 'edited',
        draft: { ...draft, topology: { ...draft.topology, failover } },
      }),
      reason: 'ChangingFailover',
      message: 'The parameters of failover are changed.',
    },
  ];
}

function wantedFailover(snapshot: ClusterSnapshot): FailoverConfig {
  const { failover } = snapshot.cluster.spec;
  const provider = wantedProvider(snapshot);
  return {
    mode: failover.mode === 'Stateful' ? 'stateful' : 'disabled',
    ...(provider.kind === 'usable' ? { state_provider: provider.config } : {}),
    failover_timeout: failover.failoverTimeoutSeconds,
    fencing_ttl: failover.fencing.ttlSeconds,
    leader_autoreturn: failover.leaderAutoreturn.enabled,
    autoreturn_delay: failover.leaderAutoreturn.delaySeconds,
  };
}
