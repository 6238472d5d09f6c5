/**
 * The kind `ReplicaSet`: instances with the same data. Made from a template of a Cluster or by hand. This schema is
 * the source of the types, the CRD, the defaults and the validation.
 */
import { z } from 'zod';
import { API_GROUP_VERSION } from '../names.ts';
import { withRules } from '../rules.ts';
import { CLUSTER_NAME_LENGTH_MAX } from './cluster.ts';
import { conditionsSchema } from './conditions.ts';
import { DNS_LABEL, INSTANCES_RULES, instancesShape, replicasSchema } from './instances.ts';
import { metadataSchema } from './metadata.ts';

/** A pod's label of this name, a dash and ten characters has at most 63. */
const NAME_LENGTH_MAX = 52;

export const replicaSetSpecSchema = withRules(
  z
    .object({
      clusterName: withRules(
        z
          .string()
          .min(1)
          .max(CLUSTER_NAME_LENGTH_MAX)
          .describe('The Cluster, in the same namespace, that this replica set belongs to.'),
        [
          {
            rule: 'self == oldSelf',
            message: 'a replica set cannot move to another cluster',
            transition: true,
            holds: (self, old) => self === old,
          },
        ],
      ),
      // Without a default the scale subresource of an object that never had a value answers with an error.
      replicas: replicasSchema.default(1).describe('How many instances.'),
      ...instancesShape,
    })
    .describe('What is wanted.'),
  INSTANCES_RULES,
);

const memberSchema = z.object({
  name: z.string().max(63).describe('The instance; its pod has the same name.'),
  uuid: z.string().max(36).optional().describe('The identity of its data.'),
  state: z.string().max(64).describe('The state that the instance reports.'),
  configVersion: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The version of its config, only while it is not the newest.'),
});

export const replicaSetStatusSchema = z
  .object({
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('The generation of the spec that this status speaks of.'),
    uuid: z.string().max(36).optional().describe('The identity of the replica set.'),
    // Not 0 by default: an autoscaler must be able to tell "none" from "not known yet".
    replicas: replicasSchema.optional().describe('Instances that exist.'),
    readyReplicas: replicasSchema.optional().describe('Instances that serve.'),
    selector: z.string().max(1024).optional().describe('Selects the pods, for autoscalers.'),
    leader: z.string().max(63).optional().describe('The instance that leads.'),
    members: z
      .array(memberSchema)
      .max(64)
      .optional()
      .meta({
        description: 'The instances.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    bucketCount: z
      .int()
      .min(0)
      .max(1_000_000)
      .optional()
      .describe('Buckets owned; brought up to date rarely, exact only when nothing moves.'),
    conditions: conditionsSchema.optional(),
  })
  .describe('What is.');

export const replicaSetSchema = withRules(
  z
    .object({
      apiVersion: z.literal(API_GROUP_VERSION),
      kind: z.literal('ReplicaSet'),
      metadata: metadataSchema,
      spec: replicaSetSpecSchema,
      status: replicaSetStatusSchema.optional(),
    })
    .describe('Instances that hold the same data, with one leader.'),
  [
    {
      rule: `size(self.metadata.name) <= ${NAME_LENGTH_MAX} && self.metadata.name.matches('${DNS_LABEL.source}')`,
      message: `the name of a ReplicaSet has at most ${NAME_LENGTH_MAX} lower-case letters, digits and dashes, and begins with a letter`,
      holds: ({ metadata: { name } }) => name.length <= NAME_LENGTH_MAX && DNS_LABEL.test(name),
    },
    {
      rule: "self.metadata.name != self.spec.clusterName + '-etcd'",
      message: "this name belongs to the cluster's etcd",
      holds: ({ metadata, spec }) => metadata.name !== `${spec.clusterName}-etcd`,
    },
  ],
);

export type ReplicaSet = z.output<typeof replicaSetSchema>;
export type ReplicaSetSpec = z.output<typeof replicaSetSpecSchema>;
export type ReplicaSetStatus = z.output<typeof replicaSetStatusSchema>;
export type Member = z.output<typeof memberSchema>;
