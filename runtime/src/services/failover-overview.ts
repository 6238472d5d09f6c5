/** Asks every enabled instance how it stands, and puts the answers together (`describe-failover.ts`). */
import type { Topology } from '../contract/cluster-config.ts';
import type { FailoverOverview } from '../contract/failover-overview.ts';
import { type InstanceStatus, instanceStatusSchema } from '../contract/instance-status.ts';
import { enabledServers } from '../core/config/read-sections.ts';
import { ClusterError } from '../core/errors.ts';
import { describeFailover } from '../core/failover/describe-failover.ts';
import { PeerError, type Peers } from '../ports/peers.ts';

const TIMEOUT_MS = 1500;

export async function failoverOverview(
  peers: Peers,
  topology: Topology,
): Promise<FailoverOverview> {
  const answers = await Promise.all(
    enabledServers(topology).map(async ([uuid, { http_uri: address }]) => {
      const status = await askStatus(peers, address);
      return status === undefined ? [] : [[uuid, status] as const];
    }),
  );
  return describeFailover(topology, new Map(answers.flat()));
}

async function askStatus(peers: Peers, address: string): Promise<InstanceStatus | undefined> {
  try {
    const answer = await peers.call(address, 'status', {}, { timeoutMs: TIMEOUT_MS });
    return instanceStatusSchema.safeParse(answer).data;
  } catch (error) {
    if (error instanceof PeerError || error instanceof ClusterError) return undefined;
    throw error;
  }
}
