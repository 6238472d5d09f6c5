/** Who leads a replica set, by what its instances tell of themselves: the one named with the highest term [FO-91]. */
import type { Topology } from '../../contract/cluster-config.ts';

/** What an instance tells by gossip. */
export interface GossipPayload {
  readonly payload: Readonly<Record<string, string>>;
}

export interface GossipedLeader {
  readonly uuid: string;
  readonly term: number;
}

/** Instances that are dead are heard too: what they said last may still be the newest. */
export function gossipedLeader(
  entries: readonly GossipPayload[],
  topology: Topology,
  replicaSetUuid: string,
): GossipedLeader | undefined {
  const isMember = (uuid: string | undefined): uuid is string => {
    const server = uuid === undefined ? undefined : topology.servers[uuid];
    return (
      server !== undefined && server !== 'expelled' && server.replicaset_uuid === replicaSetUuid
    );
  };
  const told = entries.flatMap(({ payload }): GossipedLeader[] => {
    const { uuid, leader_uuid: leader, raft_term: text } = payload;
    const term = Number(text);
    if (!isMember(uuid) || !isMember(leader) || !Number.isSafeInteger(term)) return [];
    return [{ uuid: leader, term }];
  });
  return told.toSorted((a, b) => b.term - a.term)[0];
}
