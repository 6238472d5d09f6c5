/**
 * Edits of a topology, each a pure function that leaves the given one alone and may be repeated (TOPO-02 to TOPO-16).
 *
 * What an edit may not do by itself it refuses; what the result may not be is for `validate-config.ts`.
 */
import type { ReplicaSetConfig, Server, Topology } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import type { Refusal } from '../../contract/two-phase.ts';

export type TopologyEdit =
  | { readonly kind: 'edited'; readonly topology: Topology }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface NewReplicaSet {
  readonly uuid: string;
  readonly alias: string;
  readonly roles: readonly string[];
  /** Zero for sets that store no buckets (TOPO-04). */
  readonly weight: number;
  readonly vshardGroup?: string;
}

export interface NewInstance {
  readonly uuid: string;
  readonly alias: string;
  readonly uri: string;
  readonly httpUri: string;
  readonly replicaSetUuid: string;
  readonly zone?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export type InstancePatch = Partial<
  Pick<Server, 'uri' | 'http_uri' | 'disabled' | 'electable' | 'labels' | 'alias'>
> & {
  /** A blank text removes it (TOPO-13). */
  readonly zone?: string;
};

/** Parameters of failover as they come from outside; null goes back to the default. */
export type FailoverPatch = Readonly<Record<string, Json>>;

export type ReplicaSetPatch = Partial<
  Pick<ReplicaSetConfig, 'alias' | 'weight' | 'vshard_group'>
> & {
  readonly roles?: readonly string[];
  /** Those named come first, the others keep their order (TOPO-06). */
  readonly failover_priority?: readonly string[];
};

/** Instances must join in the same change: an empty replica set is not valid. */
export function addReplicaSet(topology: Topology, added: NewReplicaSet): TopologyEdit {
  if (topology.replicasets[added.uuid] !== undefined) return edited(topology);
  return withReplicaSet(topology, added.uuid, {
    alias: added.alias,
    roles: [...added.roles],
    failover_priority: [],
    weight: added.weight,
    vshard_group: added.vshardGroup ?? 'default',
    all_rw: false,
  });
}

/** The new instance is the last in its set's priority (TOPO-02). */
export function joinInstance(topology: Topology, joined: NewInstance): TopologyEdit {
  const field = `sections.topology.servers.${joined.uuid}`;
  const existing = topology.servers[joined.uuid];
  if (existing === 'expelled') {
    return refused(field, `Instance ${joined.uuid} was expelled: it must join under a new UUID.`);
  }
  if (existing !== undefined && existing.replicaset_uuid !== joined.replicaSetUuid) {
    return refused(field, `Instance ${joined.uuid} belongs to another replica set.`);
  }
  const replicaSet = topology.replicasets[joined.replicaSetUuid];
  if (replicaSet === undefined) {
    return refused(field, `Replica set ${joined.replicaSetUuid} does not exist: add it first.`);
  }
  if (existing !== undefined) return edited(topology);
  const server: Server = {
    uri: joined.uri,
    http_uri: joined.httpUri,
    alias: joined.alias,
    replicaset_uuid: joined.replicaSetUuid,
    disabled: false,
    electable: true,
    labels: { ...joined.labels },
    ...(joined.zone === undefined ? {} : { zone: joined.zone }),
  };
  const servers = { ...topology.servers, [joined.uuid]: server };
  return withReplicaSet({ ...topology, servers }, joined.replicaSetUuid, {
    ...replicaSet,
    failover_priority: [...replicaSet.failover_priority, joined.uuid],
  });
}

/** Its name stays, for ever; a replica set without instances goes (TOPO-07). */
export function expelInstance(topology: Topology, uuid: string): TopologyEdit {
  const server = topology.servers[uuid];
  if (server === undefined) return unknownInstance(uuid);
  if (server === 'expelled') return edited(topology);
  const servers = { ...topology.servers, [uuid]: 'expelled' as const };
  const setUuid = server.replicaset_uuid;
  const isEmpty = !Object.values(servers).some(
    (other) => other !== 'expelled' && other.replicaset_uuid === setUuid,
  );
  const others = Object.entries(topology.replicasets).filter(([other]) => other !== setUuid);
  const replicaSet = topology.replicasets[setUuid];
  if (isEmpty || replicaSet === undefined) {
    return edited({ ...topology, servers, replicasets: Object.fromEntries(others) });
  }
  const priority = replicaSet.failover_priority.filter((other) => other !== uuid);
  return withReplicaSet({ ...topology, servers }, setUuid, {
    ...replicaSet,
    failover_priority: priority,
  });
}

export function editInstance(topology: Topology, uuid: string, patch: InstancePatch): TopologyEdit {
  const server = topology.servers[uuid];
  if (server === undefined) return unknownInstance(uuid);
  if (server === 'expelled') {
    return refused(`sections.topology.servers.${uuid}`, `Instance ${uuid} was expelled.`);
  }
  const { zone: oldZone, ...rest } = server;
  const { zone = oldZone, ...fields } = patch;
  const next: Server = {
    ...rest,
    ...fields,
    ...(zone === undefined || zone.trim() === '' ? {} : { zone }),
  };
  return edited({ ...topology, servers: { ...topology.servers, [uuid]: next } });
}

export function editReplicaSet(
  topology: Topology,
  uuid: string,
  patch: ReplicaSetPatch,
): TopologyEdit {
  const replicaSet = topology.replicasets[uuid];
  const field = `sections.topology.replicasets.${uuid}`;
  if (replicaSet === undefined) return refused(field, `Replica set ${uuid} does not exist.`);
  const { failover_priority: wanted, roles, ...fields } = patch;
  const members = membersOf(topology, uuid);
  const stranger = wanted?.find((one) => !members.includes(one));
  if (stranger !== undefined) {
    return refused(
      `${field}.failover_priority`,
      `${stranger} is no instance of replica set ${uuid}.`,
    );
  }
  const order = [...(wanted ?? []), ...replicaSet.failover_priority, ...members];
  return withReplicaSet(topology, uuid, {
    ...replicaSet,
    ...fields,
    roles: [...(roles ?? replicaSet.roles)],
    failover_priority: [...new Set(order)].filter((one) => members.includes(one)),
  });
}

/** What is not given stays; the state provider is replaced as a whole (FO-19). Validation judges the result. */
export function editFailover(topology: Json, patch: FailoverPatch): Json {
  const { failover, ...rest } = topology as Readonly<Record<string, Json>>;
  const fields = { ...(failover as Readonly<Record<string, Json>> | undefined), ...patch };
  const given = Object.entries(fields).filter(([, value]) => value !== null);
  return { ...rest, failover: Object.fromEntries(given) };
}

/** Instances of a replica set, expelled ones left out, sorted by UUID. */
export function membersOf(topology: Topology, replicaSetUuid: string): readonly string[] {
  return Object.entries(topology.servers)
    .filter(([, server]) => server !== 'expelled' && server.replicaset_uuid === replicaSetUuid)
    .map(([uuid]) => uuid)
    .toSorted();
}

function withReplicaSet(
  topology: Topology,
  uuid: string,
  replicaSet: ReplicaSetConfig,
): TopologyEdit {
  return edited({ ...topology, replicasets: { ...topology.replicasets, [uuid]: replicaSet } });
}

function unknownInstance(uuid: string): TopologyEdit {
  return refused(`sections.topology.servers.${uuid}`, `Instance ${uuid} is not in the config.`);
}

function edited(topology: Topology): TopologyEdit {
  return { kind: 'edited', topology };
}

function refused(field: string, message: string): TopologyEdit {
  return { kind: 'refused', refusal: { code: 'CONFIG_INVALID', message, field } };
}
