/**
 * The cluster config: what all instances of a cluster share, identical on each (CONF-01).
 *
 * It is a set of named sections. A section whose value is a text is kept as a text file, any other as `<name>.yml`.
 * `meta` says which config it is: a change names the version and checksum that it was made from, so no update is lost.
 * Keys inside the system sections are those of the ancestor (snake case), because people migrate.
 */
import { z } from 'zod';
import { type Json, jsonSchema } from './json.ts';

export const uuidSchema = z.uuid();

/** `host:port`. */
export const hostPortSchema = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, 'must be host:port');

/** A section is a file name: no path separators, no leading dot, no `..` (CONF-07). */
export const sectionNameSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]*$/,
    'must be letters, digits, "_", "-" or ".", not beginning with "." or "-"',
  )
  .refine((name) => !name.includes('..'), 'must not contain ".."');

export const configVersionSchema = z.strictObject({
  /** Counts committed changes; 0 stands for "no config yet". */
  version: z.int().min(0),
  /** SHA-256, hex, over the canonical form of all sections; empty for version 0. */
  checksum: z.string().max(64),
});
export type ConfigVersion = z.infer<typeof configVersionSchema>;

export const NO_CONFIG: ConfigVersion = { version: 0, checksum: '' };

export const configMetaSchema = configVersionSchema.extend({
  /** The change that made this config. */
  changeId: z.string(),
  clusterUuid: uuidSchema,
  author: z.string(),
  message: z.string(),
  /** ISO 8601, for people. */
  time: z.string(),
});
export type ConfigMeta = z.infer<typeof configMetaSchema>;

export const sectionsSchema = z.record(sectionNameSchema, jsonSchema);
export type Sections = Readonly<Record<string, Json>>;

export const clusterConfigSchema = z.strictObject({
  meta: configMetaSchema,
  sections: sectionsSchema,
});
export interface ClusterConfig {
  readonly meta: ConfigMeta;
  readonly sections: Sections;
}

/** Sections that belong to the system: never uploaded, downloaded or replaced as user sections (HTTP-07). */
export const SYSTEM_SECTIONS: readonly string[] = [
  'topology',
  'vshard_groups',
  'auth',
  'users_acl',
];

export const serverSchema = z.strictObject({
  /** Where connectors and peers find its binary protocol. */
  uri: hostPortSchema,
  /** Where its HTTP server is found: admin API, application, internal calls. */
  http_uri: hostPortSchema,
  /** The instance's name; in Kubernetes that of its pod. */
  alias: z.string().min(1),
  replicaset_uuid: uuidSchema,
  disabled: z.boolean().default(false),
  electable: z.boolean().default(true),
  zone: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
});
export type Server = z.infer<typeof serverSchema>;

export const replicaSetSchema = z.strictObject({
  alias: z.string().min(1),
  /** Roles that a user asked for; dependencies follow from them (ROLE-07). */
  roles: z.array(z.string()).default([]),
  /** Instance UUIDs, most wanted leader first. */
  failover_priority: z.array(uuidSchema),
  weight: z.number().min(0).default(0),
  vshard_group: z.string().default('default'),
  all_rw: z.boolean().default(false),
});
export type ReplicaSetConfig = z.infer<typeof replicaSetSchema>;

export const stateProviderSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('etcd'),
    endpoints: z.array(z.url({ protocol: /^https?$/ })).min(1),
    /** Every key of this cluster begins with it; holds the cluster's UUID. */
    prefix: z.string().startsWith('/'),
    username: z.string().optional(),
    password: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('stateboard'),
    uri: hostPortSchema,
    prefix: z.string().startsWith('/'),
    password: z.string().default(''),
  }),
]);
export type StateProviderConfig = z.infer<typeof stateProviderSchema>;

/** Timers of a day are long enough, and those of a month would overflow. */
const secondsSchema = z.number().min(0).max(86_400);

/**
 * How leaders are chosen (docs/failover.md has a table). Times are in seconds. What must hold between the fields is in
 * `core/topology/validate-failover.ts`.
 */
export const failoverSchema = z
  .strictObject({
    mode: z.enum(['disabled', 'eventual', 'stateful', 'raft']).default('disabled'),
    state_provider: stateProviderSchema.optional(),
    /** How long an instance that does not answer is suspected before it counts as dead, in every mode (FO-08). */
    failover_timeout: secondsSchema.default(2),
    /** In mode `eventual`: a leader that sees no majority of its replica set gives up leadership. */
    fencing_enabled: z.boolean().default(false),
    fencing_timeout: secondsSchema.default(10),
    fencing_pause: secondsSchema.positive().default(2),
    /** For how long a lease record is valid after it was sent: in mode `stateful` nobody leads without one. */
    fencing_ttl: z.number().min(0.2).max(3600).default(2),
    leader_autoreturn: z.boolean().default(false),
    autoreturn_delay: secondsSchema.default(300),
    /** Is a state provider refused that a cluster with another cookie uses? */
    check_cookie_hash: z.boolean().default(true),
    /** Is a replica set left alone for a while when its leader changed too often? */
    enable_failover_suppressing: z.boolean().default(false),
    failover_suppress_threshold: z.int().min(1).max(1_000_000).default(5),
    failover_suppress_timeout: secondsSchema.positive().default(60),
    /** How long the coordinator leaves a leader that it has just appointed, even if it seems unhealthy. */
    immunity_timeout: secondsSchema.default(15),
    /** Of several instances that may lead, one of this zone is taken. */
    preferred_zone: z.string().min(1).optional(),
    /** Are leaders of different replica sets kept apart? */
    spread_leaders: z.enum(['none', 'zone', 'node']).default('none'),
    /** In mode `raft`: do replica sets of one or two enabled instances behave as with failover disabled? */
    disable_raft_on_small_clusters: z.boolean().default(true),
  })
  .refine((failover) => failover.mode !== 'stateful' || failover.state_provider !== undefined, {
    path: ['state_provider'],
    message: 'is required by mode "stateful": name the etcd or stateboard that keeps leadership',
  });
export type FailoverConfig = z.infer<typeof failoverSchema>;

export const topologySchema = z.strictObject({
  servers: z.record(uuidSchema, z.union([z.literal('expelled'), serverSchema])).default({}),
  replicasets: z.record(uuidSchema, replicaSetSchema).default({}),
  failover: failoverSchema.prefault({}),
});
export type Topology = z.infer<typeof topologySchema>;

/** A contiguous range of buckets, both ends included. */
export const bucketRangeSchema = z.strictObject({
  replicaset_uuid: uuidSchema,
  first: z.int().min(1),
  last: z.int().min(1),
});
export type BucketRange = z.infer<typeof bucketRangeSchema>;

export const vshardGroupSchema = z.strictObject({
  bucket_count: z.int().min(1).max(1_000_000),
  bootstrapped: z.boolean().default(false),
  /** The first assignment of buckets, made by the change that bootstrapped the group. */
  assignment: z.array(bucketRangeSchema).default([]),
});
export type VshardGroup = z.infer<typeof vshardGroupSchema>;

export const vshardGroupsSchema = z.record(z.string(), vshardGroupSchema);
export type VshardGroups = z.infer<typeof vshardGroupsSchema>;
