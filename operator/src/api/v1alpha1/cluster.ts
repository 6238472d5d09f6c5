/**
 * The kind `Cluster`: what all replica sets share, and templates for them. This schema is the source of the types,
 * the CRD, the defaults and the validation.
 */
import { z } from 'zod';
import { API_GROUP_VERSION, SYSTEM_SECTIONS } from '../names.ts';
import { withRules } from '../rules.ts';
import { conditionsSchema } from './conditions.ts';
import {
  DNS_LABEL,
  environmentSchema,
  INSTANCES_RULES,
  instancesShape,
  replicasSchema,
} from './instances.ts';
import { metadataSchema } from './metadata.ts';
import { failoverSchema } from './state-provider.ts';

export const CLUSTER_NAME_LENGTH_MAX = 40;

/**
 * `<cluster>-<template>-<number>` names a StatefulSet, whose pods carry a label of that name, a dash and ten more
 * characters; labels end at 63. With three digits for the number, 47 are left for the two names.
 */
const NAMES_LENGTH_MAX = 47;

/** `<cluster>-<name>` are Services, StatefulSets and Secrets of the cluster itself. */
const RESERVED_TEMPLATE_NAMES = ['admin', 'etcd', 'stateboard', 'cookie'];

const SECTION_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

const templateSchema = withRules(
  z.object({
    name: withRules(
      z
        .string()
        .min(1)
        .max(30)
        .regex(DNS_LABEL)
        .describe('The middle of the names of the ReplicaSets: <cluster>-<name>-<number>.'),
      [
        {
          rule: `!(self in [${RESERVED_TEMPLATE_NAMES.map((name) => `'${name}'`).join(', ')}])`,
          message: `the names ${RESERVED_TEMPLATE_NAMES.join(', ')} are taken by the cluster itself`,
          holds: (self) => !RESERVED_TEMPLATE_NAMES.includes(self),
        },
      ],
    ),
    count: z.int().min(0).max(500).default(1).describe('How many ReplicaSets to make.'),
    initialReplicas: replicasSchema
      .optional()
      .describe('Instances of a new ReplicaSet; from then on `kubectl scale` or an HPA decides.'),
    replicas: replicasSchema
      .optional()
      .describe('Instances of each ReplicaSet, enforced: a different scale is set back.'),
    ...instancesShape,
  }),
  [
    {
      rule: '!(has(self.replicas) && has(self.initialReplicas))',
      message: 'give replicas (enforced) or initialReplicas (only at creation), not both',
      holds: (self) => self.replicas === undefined || self.initialReplicas === undefined,
    },
    ...INSTANCES_RULES,
  ],
);

const configSourceSchema = withRules(
  z.object({
    configMapName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('A ConfigMap; each key is a section, its value YAML.'),
    secretName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('A Secret; each key is a section, its value YAML.'),
  }),
  [
    {
      rule: 'has(self.configMapName) != has(self.secretName)',
      message: 'give exactly one of configMapName and secretName',
      holds: (self) => (self.configMapName === undefined) !== (self.secretName === undefined),
    },
  ],
);

const configSchema = withRules(
  z
    .record(z.string(), z.unknown())
    .describe(
      'Sections of the cluster config, changed on all instances with one two-phase change.',
    ),
  [
    ...SYSTEM_SECTIONS.map((section) => ({
      rule: `!has(self.${section})`,
      message: `the section ${section} belongs to the system: use the fields of this object`,
      fieldPath: `.${section}`,
      holds: (self: Record<string, unknown>) =>
        !Object.hasOwn(self, section) && !Object.hasOwn(self, `${section}.yml`),
    })),
    {
      message: 'a section name is letters, digits, dots, dashes and underscores, at most 128',
      holds: (self) => Object.keys(self).every((name) => SECTION_NAME.test(name)),
    },
  ],
).meta({
  // CEL sees only declared properties, so the ones that are refused must be declared.
  'x-tonearm-declared-properties': SYSTEM_SECTIONS,
});

export const clusterSpecSchema = z
  .object({
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^\S+$/)
      .describe('The image of the application, with its command as entry point.'),
    imagePullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .default('IfNotPresent')
      .describe('When to pull the image.'),
    imagePullSecrets: z
      .array(z.object({ name: z.string().min(1).max(253).describe('The name of a Secret.') }))
      .max(16)
      .optional()
      .meta({
        description: 'Secrets to pull the image with.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    env: environmentSchema.optional(),
    bucketCount: withRules(
      z
        .int()
        .min(1)
        .max(1_000_000)
        .default(30_000)
        .describe('Into how many buckets the data is divided.'),
      [
        {
          rule: 'self == oldSelf',
          message: 'bucketCount is fixed for the life of a cluster',
          transition: true,
          holds: (self, old) => self === old,
        },
      ],
    ),
    failover: failoverSchema,
    config: configSchema.optional(),
    configFrom: z
      .array(configSourceSchema)
      .max(16)
      .optional()
      .describe('More sections, from ConfigMaps and Secrets; a later source wins over an earlier.'),
    bootstrap: z
      .object({
        mode: z
          .enum(['Auto', 'New'])
          .default('Auto')
          .describe(
            'Auto takes over the volumes that an earlier cluster of this name left; New refuses to start over them.',
          ),
      })
      .prefault({})
      .describe('How the cluster begins.'),
    replicaSets: z
      .array(templateSchema)
      .max(32)
      .meta({
        description: 'Templates; each makes `count` ReplicaSets.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      })
      .default([]),
  })
  .describe('What is wanted.');

const replicaSetSummarySchema = z.object({
  name: z.string().max(63).describe('The name of the ReplicaSet.'),
  replicas: replicasSchema.describe('Instances that exist.'),
  readyReplicas: replicasSchema.describe('Instances that serve.'),
  leader: z.string().max(63).optional().describe('The instance that leads.'),
});

export const clusterStatusSchema = z
  .object({
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('The generation of the spec that this status speaks of.'),
    uuid: z.string().max(36).optional().describe('The identity of the cluster, minted once.'),
    stateProvider: z
      .enum(['ManagedEtcd', 'Etcd', 'Stateboard'])
      .optional()
      .describe("The state provider in use; kept when the operator's default changes."),
    configVersion: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('The version of the cluster config that all instances have applied.'),
    managedSections: z.array(z.string().max(128)).max(512).optional().meta({
      description: 'Sections of the cluster config that come from this object.',
      'x-kubernetes-list-type': 'set',
    }),
    instances: z.int().min(0).max(100_000).optional().describe('Instances that exist.'),
    readyInstances: z.int().min(0).max(100_000).optional().describe('Instances that serve.'),
    replicaSets: z
      .array(replicaSetSummarySchema)
      .max(1024)
      .optional()
      .meta({
        description: 'The replica sets of the cluster.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    conditions: conditionsSchema.optional(),
  })
  .describe('What is.');

export const clusterSchema = withRules(
  z
    .object({
      apiVersion: z.literal(API_GROUP_VERSION),
      kind: z.literal('Cluster'),
      metadata: metadataSchema,
      spec: clusterSpecSchema,
      status: clusterStatusSchema.optional(),
    })
    .describe('A cluster of instances of one application.'),
  [
    {
      rule: `size(self.metadata.name) <= ${CLUSTER_NAME_LENGTH_MAX} && self.metadata.name.matches('${DNS_LABEL.source}')`,
      message: `the name of a Cluster has at most ${CLUSTER_NAME_LENGTH_MAX} lower-case letters, digits and dashes, and begins with a letter`,
      holds: ({ metadata: { name } }) =>
        name.length <= CLUSTER_NAME_LENGTH_MAX && DNS_LABEL.test(name),
    },
    {
      rule: `self.spec.replicaSets.all(t, size(self.metadata.name) + size(t.name) <= ${NAMES_LENGTH_MAX})`,
      message: `the names of the cluster and of a template have together at most ${NAMES_LENGTH_MAX} characters`,
      fieldPath: '.spec.replicaSets',
      holds: ({ metadata, spec }) =>
        spec.replicaSets.every((t) => metadata.name.length + t.name.length <= NAMES_LENGTH_MAX),
    },
  ],
);

export type Cluster = z.output<typeof clusterSchema>;
export type ClusterSpec = z.output<typeof clusterSpecSchema>;
export type ClusterStatus = z.output<typeof clusterStatusSchema>;
export type ReplicaSetTemplate = z.output<typeof templateSchema>;
