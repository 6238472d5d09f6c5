/** Which failover mode a replica set has in fact, and when its leadership engine must be another one. */
import type { FailoverConfig, Topology } from '../../contract/cluster-config.ts';
import { leaderOrder } from './leader-order.ts';

export type FailoverMode = FailoverConfig['mode'];

const LEAST_RAFT_INSTANCES = 3;

/** Two instances cannot do without one of them: there a replica set is led as with failover disabled [FO-90]. */
export function effectiveMode(
  topology: Topology,
  replicaSetUuid: string | undefined,
): FailoverMode {
  const { mode, disable_raft_on_small_clusters: isOffWhenSmall } = topology.failover;
  if (mode !== 'raft' || replicaSetUuid === undefined || !isOffWhenSmall) return mode;
  const enabled = leaderOrder(topology, replicaSetUuid).filter(({ disabled }) => !disabled);
  return enabled.length < LEAST_RAFT_INSTANCES ? 'disabled' : mode;
}

/** Everything in it is what an engine is made of: another value takes another engine (FO-09). */
export function engineKey(
  { failover }: Topology,
  mode: FailoverMode,
  replicaSetUuid: string | undefined,
): string {
  const { state_provider: provider, fencing_ttl: ttl } = failover;
  const made = mode === 'stateful' ? [provider, ttl] : [];
  return JSON.stringify([replicaSetUuid ?? null, mode, ...made]);
}
