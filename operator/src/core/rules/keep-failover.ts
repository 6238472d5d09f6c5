import { sameJson } from '@tonearm/runtime/config';
import type { FailoverConfig } from '@tonearm/runtime/contract';
import { toJson } from '../config-draft.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import { readTopology } from '../topology.ts';
import type { Verdict } from '../verdict.ts';

const MODES = {
  Disabled: 'disabled',
  Eventual: 'eventual',
  Stateful: 'stateful',
  Raft: 'raft',
} as const;

const SPREADS = { None: 'none', Zone: 'zone', Node: 'node' } as const;

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
    mode: MODES[failover.mode],
    ...(provider.kind === 'usable' ? { state_provider: provider.config } : {}),
    failover_timeout: failover.failoverTimeoutSeconds,
    fencing_enabled: failover.fencing.mode === 'Connectivity',
    fencing_timeout: failover.fencing.timeoutSeconds,
    fencing_pause: failover.fencing.pauseSeconds,
    fencing_ttl: failover.fencing.ttlSeconds,
    leader_autoreturn: failover.leaderAutoreturn.enabled,
    autoreturn_delay: failover.leaderAutoreturn.delaySeconds,
    check_cookie_hash: failover.checkCookieHash,
    enable_failover_suppressing: failover.suppressing.enabled,
    failover_suppress_threshold: failover.suppressing.threshold,
    failover_suppress_timeout: failover.suppressing.windowSeconds,
    immunity_timeout: failover.immunityTimeoutSeconds,
    ...(failover.preferredZone === undefined ? {} : { preferred_zone: failover.preferredZone }),
    spread_leaders: SPREADS[failover.spreadLeaders],
    disable_raft_on_small_clusters: failover.disableRaftOnSmallClusters,
  };
}
