/** The committed topology, as the operator's rules ask for it. */
import { topologyOf, vshardGroupsOf } from '@tonearm/runtime/config';
import type { ClusterConfig, Server, Topology, VshardGroup } from '@tonearm/runtime/contract';
import type { ClusterSnapshot, InstanceFacts } from './snapshot.ts';
import { statusOf } from './snapshot.ts';

export interface KnownServer extends Server {
  readonly uuid: string;
}

export const DEFAULT_GROUP = 'default';

export function readTopology(config: ClusterConfig | undefined): Topology {
  return topologyOf(config);
}

/** Those that were not expelled, by instance UUID. */
export function serversOf(topology: Topology): readonly KnownServer[] {
  return Object.entries(topology.servers)
    .flatMap(([uuid, server]) => (server === 'expelled' ? [] : [{ ...server, uuid }]))
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

export function serversIn(topology: Topology, replicaSetUuid: string): readonly KnownServer[] {
  return serversOf(topology).filter((server) => server.replicaset_uuid === replicaSetUuid);
}

export function isExpelled(topology: Topology, uuid: string): boolean {
  return topology.servers[uuid] === 'expelled';
}

export function defaultGroup(config: ClusterConfig | undefined): VshardGroup | undefined {
  return vshardGroupsOf(config)[DEFAULT_GROUP];
}

/**
 * Would removing the replica set lose buckets? Buckets cannot move, so the first assignment still tells the truth; an
 * instance that counts buckets of its own is believed as well.
 */
export function ownsBuckets(snapshot: ClusterSnapshot, replicaSetUuid: string): boolean {
  const assigned = Object.values(vshardGroupsOf(snapshot.config)).some(({ assignment }) =>
    assignment.some((range) => range.replicaset_uuid === replicaSetUuid),
  );
  return assigned || snapshot.instances.some((instance) => countsBuckets(instance, replicaSetUuid));
}

function countsBuckets(instance: InstanceFacts, replicaSetUuid: string): boolean {
  const view = statusOf(instance)?.replicaSet;
  return view?.uuid === replicaSetUuid && view.bucketCount > 0;
}

/** Who leads the replica set and may write now, by its own word; nothing when nobody does. */
export function writableLeader(
  snapshot: ClusterSnapshot,
  replicaSetUuid: string,
): InstanceFacts | undefined {
  return snapshot.instances.find((instance) => {
    const view = statusOf(instance)?.replicaSet;
    return view?.uuid === replicaSetUuid && view.writable;
  });
}

/**
 * Do all enabled instances hold the newest config, without a lock? Only then is it certain that no other change is on
 * its way which the operator has not seen.
 */
export function isSettled(snapshot: ClusterSnapshot): boolean {
  const { config, instances } = snapshot;
  if (config === undefined) return false;
  if (instances.some((instance) => (statusOf(instance)?.preparedChangeId ?? null) !== null)) {
    return false;
  }
  const enabled = serversOf(readTopology(config)).filter((server) => !server.disabled);
  return enabled.every((server) => {
    const found = instances.find((instance) => statusOf(instance)?.uuid === server.uuid);
    const has = found === undefined ? undefined : statusOf(found)?.config;
    return has?.version === config.meta.version && has.checksum === config.meta.checksum;
  });
}
