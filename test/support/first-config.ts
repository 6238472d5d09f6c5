/** The first config of a test's cluster of the employees: one replica set of routers, then those of storages. */
import type { StateProviderConfig } from '@tonearm/runtime/contract';

export interface ConfiguredInstance {
  readonly name: string;
  readonly uuid: string;
  /** `host:port` of its binary port. */
  readonly uri: string;
  /** `host:port` of its HTTP port. */
  readonly httpUri: string;
}

export interface FirstConfig {
  readonly routers: readonly ConfiguredInstance[];
  /** By replica set, in its failover priority. */
  readonly storages: readonly (readonly ConfiguredInstance[])[];
  readonly provider: StateProviderConfig;
  readonly fencingTtlSeconds: number;
  readonly bucketCount: number;
  /** Instances of storages appoint leaders too, not only the routers. */
  readonly allCoordinate: boolean;
}

export function firstSections(config: FirstConfig): Record<string, unknown> {
  const { routers, storages, provider, fencingTtlSeconds, bucketCount, allCoordinate } = config;
  const sets = [
    {
      uuid: setUuid(0),
      instances: routers,
      roles: ['failover-coordinator', 'app.roles.api'],
      weight: 0,
    },
    ...storages.map((instances, index) => ({
      uuid: setUuid(index + 1),
      instances,
      roles: [...(allCoordinate ? ['failover-coordinator'] : []), 'app.roles.storage'],
      weight: 1,
    })),
  ];
  const servers = sets.flatMap(({ uuid, instances }) =>
    instances.map((instance) => [
      instance.uuid,
      {
        uri: instance.uri,
        http_uri: instance.httpUri,
        alias: instance.name,
        replicaset_uuid: uuid,
      },
    ]),
  );
  const replicasets = sets.map(({ uuid, instances, roles, weight }, index) => [
    uuid,
    {
      alias: `set-${index}`,
      roles,
      weight,
      failover_priority: instances.map((instance) => instance.uuid),
    },
  ]);
  const share = Math.ceil(bucketCount / storages.length);
  const assignment = storages.map((_, index) => ({
    replicaset_uuid: setUuid(index + 1),
    first: index * share + 1,
    last: Math.min((index + 1) * share, bucketCount),
  }));
  return {
    topology: {
      servers: Object.fromEntries(servers) as unknown,
      replicasets: Object.fromEntries(replicasets) as unknown,
      failover: { mode: 'stateful', state_provider: provider, fencing_ttl: fencingTtlSeconds },
    },
    vshard_groups: { default: { bucket_count: bucketCount, bootstrapped: true, assignment } },
  };
}

export function setUuid(index: number): string {
  return `00000000-0000-4000-8000-00000000a0${String(index).padStart(2, '0')}`;
}
