/** What an instance says of itself: `GET /admin/status`, read by the operator, by coordinators and by people. */
import { z } from 'zod';
import { configVersionSchema, hostPortSchema, uuidSchema } from './cluster-config.ts';

export const instanceStates = [
  '',
  'Unconfigured',
  'ConfigFound',
  'ConfigLoaded',
  'BootstrappingBox',
  'RecoveringSnapshot',
  'ConnectingFullmesh',
  'BoxConfigured',
  'ConfiguringRoles',
  'RolesConfigured',
  'ReloadingRoles',
  'InitError',
  'BootError',
  'OperationError',
  'ReloadError',
] as const;
export type InstanceStateName = (typeof instanceStates)[number];

/** A place in a replica set's log. `{ term: 0, sequence: 0 }` is before the first row. */
export const positionSchema = z.strictObject({ term: z.int().min(0), sequence: z.int().min(0) });
export type Position = z.infer<typeof positionSchema>;

export const issueSchema = z.strictObject({
  level: z.enum(['warning', 'critical']),
  topic: z.string(),
  message: z.string(),
});
export type Issue = z.infer<typeof issueSchema>;

export const followerViewSchema = z.strictObject({
  uuid: uuidSchema,
  isInSync: z.boolean(),
  /** Rows of the leader's log that it is not known to have. */
  rowsBehind: z.int().min(0),
  /** Milliseconds since it had everything; 0 while it has. */
  lagMs: z.number().min(0),
  /** Milliseconds since it asked for rows; one that has everything asks every second. */
  idleMs: z.number().min(0),
});

export const replicaSetViewSchema = z.strictObject({
  uuid: uuidSchema,
  /** Whom this instance believes to lead; null when it knows of none. */
  leader: uuidSchema.nullable(),
  term: z.int().min(0),
  /** Is this instance the leader, with a valid lease, and has its term begun? */
  writable: z.boolean(),
  /** It leads by the grants of its peers, because the state provider does not answer. */
  peerLeases: z.boolean().default(false),
  /** Own last row, and the last row known to be on all in-sync members. */
  position: positionSchema,
  acknowledged: positionSchema,
  promisedTerm: z.int().min(0),
  inSync: z.array(uuidSchema),
  bucketCount: z.int().min(0),
  /** The others of the replica set as their leader knows them; empty on any other instance. */
  followers: z.array(followerViewSchema).default([]),
});
export type ReplicaSetView = z.infer<typeof replicaSetViewSchema>;

/** One instance of the cluster, as this one has heard of it by gossip. */
export const gossipViewSchema = z.strictObject({
  uri: hostPortSchema,
  /** What it tells of itself; null until it was heard. */
  uuid: z.string().nullable(),
  alias: z.string().nullable(),
  status: z.enum(['alive', 'suspect', 'dead', 'left']),
  incarnation: z.int().min(0),
  state: z.string().nullable(),
  /** ISO 8601: when this became known here. */
  since: z.string(),
  /** Milliseconds by which its clock is ahead of the one here; null until it has answered. */
  clockDeltaMs: z.number().nullable(),
});
export type GossipView = z.infer<typeof gossipViewSchema>;

export const instanceStatusSchema = z.strictObject({
  name: z.string(),
  uuid: uuidSchema,
  incarnation: z.int().min(1),
  clusterUuid: uuidSchema,
  /** From the environment: which replica set this instance was started for. */
  replicaSetUuid: uuidSchema.nullable(),
  replicaSetName: z.string().nullable(),
  uri: hostPortSchema,
  httpUri: hostPortSchema,
  runtimeVersion: z.string(),
  state: z.enum(instanceStates),
  /** Why the state is an error state. */
  error: z.string().nullable(),
  config: configVersionSchema,
  /** The change that holds the config lock here. */
  preparedChangeId: z.string().nullable(),
  /** Null before this instance has joined. */
  replicaSet: replicaSetViewSchema.nullable(),
  /** Leadership does not move by itself here until failover is resumed, or this process ends. */
  isFailoverPaused: z.boolean().default(false),
  /** It holds the lock of the failover coordinator. */
  isActiveCoordinator: z.boolean().default(false),
  /** Replica sets that this instance leaves alone for a while, because their leader changed too often. */
  suppressedReplicaSets: z.array(uuidSchema).default([]),
  roles: z.array(z.string()),
  issues: z.array(issueSchema),
  /** Every instance that this one has heard of by gossip, itself too, by `uri`. */
  membership: z.array(gossipViewSchema).default([]),
});
export type InstanceStatus = z.infer<typeof instanceStatusSchema>;
