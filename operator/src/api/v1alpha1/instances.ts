/** What a template of a Cluster and a ReplicaSet have in common: what its instances do, and what they need. */
import { z } from 'zod';
import { RESERVED_ENVIRONMENT } from '../names.ts';
import { BYTES_PATTERN, parseBytes } from '../quantity.ts';
import { type Rule, withRules } from '../rules.ts';

/** Each is a pod; more copies of the same data make every write wait for more acknowledgements. */
export const REPLICAS_MAX = 31;

/** With these roles a replica set owns rows, so it needs a place for them. */
const STORAGE_ROLES = ['vshard-storage', 'crud-storage'];

export const DNS_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

export const replicasSchema = z.int().min(0).max(REPLICAS_MAX);

const quantitySchema = z
  .union([z.int(), z.string().max(32)])
  .meta({ 'x-kubernetes-int-or-string': true });

const quantitiesSchema = z.record(z.string(), quantitySchema);

const resourcesSchema = z
  .object({
    requests: quantitiesSchema.optional().describe('What the scheduler reserves.'),
    limits: quantitiesSchema.optional().describe('What the container may use at most.'),
  })
  .describe('CPU and memory of each instance.');

const keySelectorSchema = z.object({
  name: z.string().min(1).max(253).describe('The name of the object.'),
  key: z.string().min(1).max(253).describe('The key in it.'),
});

const variableSchema = withRules(
  z.object({
    name: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe('The name of the variable.'),
    value: z.string().max(4096).optional().describe('Its value.'),
    valueFrom: z
      .object({
        secretKeyRef: keySelectorSchema.optional().describe('A key of a Secret.'),
        configMapKeyRef: keySelectorSchema.optional().describe('A key of a ConfigMap.'),
      })
      .optional()
      .describe('Where the value comes from.'),
  }),
  [
    {
      rule: `!(self.name in [${RESERVED_ENVIRONMENT.map((name) => `'${name}'`).join(', ')}])`,
      message: 'this variable is set by the operator',
      fieldPath: '.name',
      holds: (self) => !RESERVED_ENVIRONMENT.some((name) => name === self.name),
    },
    {
      rule: '!(has(self.value) && has(self.valueFrom))',
      message: 'give value or valueFrom, not both',
      holds: (self) => self.value === undefined || self.valueFrom === undefined,
    },
    {
      rule: '!has(self.valueFrom) || has(self.valueFrom.secretKeyRef) != has(self.valueFrom.configMapKeyRef)',
      message: 'valueFrom names exactly one of secretKeyRef and configMapKeyRef',
      fieldPath: '.valueFrom',
      holds: ({ valueFrom }) =>
        valueFrom === undefined ||
        (valueFrom.secretKeyRef === undefined) !== (valueFrom.configMapKeyRef === undefined),
    },
  ],
);

export const environmentSchema = z
  .array(variableSchema)
  .max(64)
  .meta({
    description: 'Environment variables of the instances, beside those that the operator sets.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  });

const volumeSchema = withRules(
  z
    .object({
      size: withRules(
        z
          .string()
          .min(1)
          .max(20)
          .regex(BYTES_PATTERN)
          .describe('The size of the volume of each instance, such as 10Gi.'),
        [
          {
            rule: 'quantity(self).isGreaterThan(quantity("0"))',
            message: 'a volume needs a size above zero',
            holds: (self) => parseBytes(self) > 0,
          },
          {
            rule: 'quantity(self).compareTo(quantity(oldSelf)) >= 0',
            message: 'a volume may only grow',
            transition: true,
            holds: (self, old) => parseBytes(self) >= parseBytes(old),
          },
        ],
      ),
      storageClassName: z
        .string()
        .min(1)
        .max(253)
        .optional()
        .describe('The storage class; left out: the default of the Kubernetes cluster.'),
    })
    .describe('A volume for the data of each instance. It is kept when the instance is removed.'),
  [
    {
      rule: 'has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)',
      message: 'the storage class of a volume cannot be changed',
      fieldPath: '.storageClassName',
      transition: true,
      holds: (self, old) => self.storageClassName === old.storageClassName,
    },
  ],
);

export const instancesShape = {
  roles: z
    .array(
      z
        .string()
        .min(1)
        .max(128)
        .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/),
    )
    .max(32)
    .meta({
      description: 'What the instances do: names of roles of the application or of the runtime.',
      'x-kubernetes-list-type': 'set',
    })
    .default([]),
  weight: z
    .int()
    .min(0)
    .max(1000)
    .default(1)
    .describe('The share of buckets, relative to other replica sets; without meaning for routers.'),
  zone: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('The zone of the instances, where the node tells none.'),
  resources: resourcesSchema.optional(),
  env: environmentSchema.optional(),
  volume: volumeSchema.optional(),
  ephemeral: z
    .boolean()
    .default(false)
    .describe('Allows storages without a volume: their rows are lost with their pods.'),
} as const;

type Instances = z.output<z.ZodObject<typeof instancesShape>>;

export const INSTANCES_RULES: readonly Rule<Instances>[] = [
  {
    rule: 'has(self.volume) == has(oldSelf.volume)',
    message: 'a volume cannot be added to or taken from instances that exist',
    fieldPath: '.volume',
    transition: true,
    holds: (self, old) => (self.volume === undefined) === (old.volume === undefined),
  },
  {
    rule: '!(self.ephemeral && has(self.volume))',
    message: 'give a volume or ephemeral: true, not both',
    fieldPath: '.ephemeral',
    holds: (self) => !self.ephemeral || self.volume === undefined,
  },
  {
    rule: `self.ephemeral || has(self.volume) || !self.roles.exists(r, r in [${STORAGE_ROLES.map((role) => `'${role}'`).join(', ')}])`,
    message: 'a storage needs a volume, or ephemeral: true',
    holds: (self) =>
      self.ephemeral ||
      self.volume !== undefined ||
      !self.roles.some((role) => STORAGE_ROLES.includes(role)),
  },
];
