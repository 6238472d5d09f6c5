import type { Topology } from '../../contract/cluster-config.ts';
import type { Candidate } from './candidate.ts';

/** Every instance of a replica set: those of its failover priority in that order, then the rest by UUID. */
export function leaderOrder(topology: Topology, replicaSetUuid: string): readonly Candidate[] {
  const members = Object.entries(topology.servers).flatMap(([uuid, server]) =>
    server !== 'expelled' && server.replicaset_uuid === replicaSetUuid
      ? (candidateOf(topology, uuid) ?? [])
      : [],
  );
  const priority = topology.replicasets[replicaSetUuid]?.failover_priority ?? [];
  const rank = ({ uuid }: Candidate): number => {
    const index = priority.indexOf(uuid);
    return index < 0 ? priority.length : index;
  };
  return members.toSorted((a, b) => rank(a) - rank(b) || (a.uuid < b.uuid ? -1 : 1));
}

/** Undefined when it is not in the topology. */
export function candidateOf(topology: Topology, uuid: string): Candidate | undefined {
  const server = topology.servers[uuid];
  if (server === undefined || server === 'expelled') return undefined;
  const { electable, disabled, zone, labels } = server;
  const node = labels['node'];
  return {
    ...{ uuid, electable, disabled },
    ...(zone === undefined ? {} : { zone }),
    ...(node === undefined ? {} : { node }),
  };
}

/** The leader without a state provider: the first that may lead, alive or not. */
export function configuredLeader(topology: Topology, replicaSetUuid: string): string | undefined {
  return leaderOrder(topology, replicaSetUuid).find(
    ({ electable, disabled }) => electable && !disabled,
  )?.uuid;
}

/** Where an instance answers internal calls; undefined when it is not in the topology. */
export function addressOf(topology: Topology, uuid: string): string | undefined {
  const server = topology.servers[uuid];
  return server === undefined || server === 'expelled' ? undefined : server.http_uri;
}
