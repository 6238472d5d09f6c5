/** `GET /admin/failover/status`: who leads each replica set, as its instances say at this moment. */
import { z } from 'zod';
import { uuidSchema } from './cluster-config.ts';
import { issueSchema } from './instance-status.ts';

const memberSchema = z.strictObject({
  uuid: uuidSchema,
  name: z.string(),
  isDisabled: z.boolean(),
  isElectable: z.boolean(),
  /** Of its life; null when it did not answer, or was not asked because it is disabled. */
  state: z.string().nullable(),
  isInSync: z.boolean(),
});

export const leadershipStates = ['writable', 'peer-leases', 'read-only', 'silent', 'none'] as const;

export const ledReplicaSetSchema = z.strictObject({
  uuid: uuidSchema,
  name: z.string(),
  leader: z.strictObject({ uuid: uuidSchema, name: z.string() }).nullable(),
  term: z.int().min(0),
  /**
   * `writable`: the leader holds what its mode asks for, a lease or votes, and takes writes. `peer-leases`: it does so by
   * grants of its peers, because the state provider is away. `read-only`: it takes no writes now. `silent`: it does not
   * answer. `none`: no instance knows of a leader.
   */
  state: z.enum(leadershipStates),
  /** Its leader changed too often, so it is left alone for a while. */
  isSuppressed: z.boolean(),
  members: z.array(memberSchema),
});
export type LedReplicaSet = z.infer<typeof ledReplicaSetSchema>;

export const failoverOverviewSchema = z.strictObject({
  mode: z.enum(['disabled', 'eventual', 'stateful', 'raft']),
  stateProvider: z.string().nullable(),
  /** Name of the active coordinator; null: there is none, or the mode needs none. */
  coordinator: z.string().nullable(),
  /** Names of the instances on which leadership does not move by itself. */
  pausedOn: z.array(z.string()),
  replicaSets: z.array(ledReplicaSetSchema),
  issues: z.array(issueSchema.extend({ instance: z.string() })),
});
export type FailoverOverview = z.infer<typeof failoverOverviewSchema>;
