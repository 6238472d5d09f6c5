/** The typed view of the system's sections. Validation refuses what does not fit before it is ever committed. */
import { z } from 'zod';
import {
  type Sections,
  type Server,
  type StateProviderConfig,
  stateProviderSchema,
  type Topology,
  topologySchema,
  type VshardGroups,
  vshardGroupsSchema,
} from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import type { Participant } from '../../contract/two-phase.ts';
import { assert } from '../../foundation/assert.ts';

const providerViewSchema = z.object({
  failover: z.object({ state_provider: stateProviderSchema.optional() }).optional(),
});
const EMPTY_TOPOLOGY: Topology = topologySchema.parse({});

/** Of a config that was validated. */
export function topologyOf(config: { readonly sections: Sections } | undefined): Topology {
  if (config === undefined) return EMPTY_TOPOLOGY;
  const parsed = topologySchema.safeParse(config.sections['topology'] ?? {});
  assert(parsed.success, 'the topology of a committed config is valid');
  return parsed.data;
}

/** The roles that a user asked for where this instance belongs; none when it belongs nowhere. */
export function rolesAskedOf(topology: Topology, uuid: string): readonly string[] {
  const own = topology.servers[uuid];
  if (own === undefined || own === 'expelled') return [];
  return topology.replicasets[own.replicaset_uuid]?.roles ?? [];
}

/** Of a config that was validated. */
export function vshardGroupsOf(config: { readonly sections: Sections } | undefined): VshardGroups {
  const parsed = vshardGroupsSchema.safeParse(config?.sections['vshard_groups'] ?? {});
  assert(parsed.success, 'the vshard groups of a committed config are valid');
  return parsed.data;
}

/** As it is written into a config: without fields that have no value. */
export function toSection(value: Topology | VshardGroups): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** Of any config; undefined when it names none, or when that is not valid. */
export function stateProviderOf(
  config: { readonly sections: Sections } | undefined,
): StateProviderConfig | undefined {
  const parsed = providerViewSchema.safeParse(config?.sections['topology'] ?? {});
  return parsed.success ? parsed.data.failover?.state_provider : undefined;
}

/** Instances that are neither expelled nor disabled, sorted by UUID. */
export function enabledServers(topology: Topology): readonly (readonly [string, Server])[] {
  return Object.entries(topology.servers)
    .filter((entry): entry is [string, Server] => entry[1] !== 'expelled' && !entry[1].disabled)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

export function enabledParticipants(topology: Topology): readonly Participant[] {
  return enabledServers(topology).map(([uuid, server]) => ({ uuid, httpUri: server.http_uri }));
}
