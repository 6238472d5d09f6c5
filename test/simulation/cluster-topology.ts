/** The configuration of a simulated cluster, and what its instances are called. */
import { type Topology, topologySchema } from '../../runtime/src/contract/cluster-config.ts';
import type { ClusterFocus } from './cluster-focuses.ts';

const TTL_SECONDS = 1;
const NO_FOCUS: ClusterFocus = { name: 'cluster', faults: [] };

/** The first set's instances coordinate. The network knows instances by their UUID. */
export function topologyOf(sizes: readonly number[], focus: ClusterFocus = NO_FOCUS): Topology {
  const { ttlSeconds = TTL_SECONDS, isRaft = false, zones = 0, failover = {} } = focus;
  const servers = sizes.flatMap((size, set) =>
    Array.from({ length: size }, (_, index) => {
      const uuid = instanceUuid(set, index);
      const zone = zones > 0 ? { zone: `zone-${index % zones}` } : {};
      return [
        uuid,
        { uri: 'host:1', http_uri: 'host:1', alias: uuid, replicaset_uuid: setUuid(set), ...zone },
      ] as const;
    }),
  );
  const replicasets = sizes.map((size, set) => [
    setUuid(set),
    {
      alias: `set-${set}`,
      roles: set === 0 ? ['failover-coordinator'] : [],
      failover_priority: Array.from({ length: size }, (_, index) => instanceUuid(set, index)),
    },
  ]);
  const topology = topologySchema.parse({
    servers: Object.fromEntries(servers) as unknown,
    replicasets: Object.fromEntries(replicasets) as unknown,
    failover: isRaft
      ? { mode: 'raft', failover_timeout: ttlSeconds }
      : {
          mode: 'stateful',
          fencing_ttl: ttlSeconds,
          ...failover,
          state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/c/' },
        },
  });
  const reachable = Object.entries(topology.servers).map(([uuid, server]) => [
    uuid,
    server === 'expelled' ? server : { ...server, http_uri: uuid },
  ]);
  return { ...topology, servers: Object.fromEntries(reachable) as Topology['servers'] };
}

export function instanceUuid(set: number, index: number): string {
  return `00000000-0000-4000-8000-0000000000${'ab'[set] ?? 'c'}${index + 1}`;
}

export function setUuid(set: number): string {
  return `00000000-0000-4000-8000-000000000${'ab'[set] ?? 'c'}00`;
}
