/** How a Cluster finds its state provider, and how failover works with it. */
import { z } from 'zod';
import { withRules } from '../rules.ts';

const ENDPOINT = /^https?:\/\/[^/?#@\s]+\/?$/;

const endpointSchema = withRules(z.string().min(1).max(256), [
  {
    rule: "self.matches('^https?://[^/?#@[:space:]]+/?$')",
    message: 'an etcd endpoint is http:// or https:// with a host and a port',
    holds: (self) => ENDPOINT.test(self),
  },
]);

const secretNameSchema = z.string().min(1).max(253);

const etcdSchema = withRules(
  z.object({
    managed: z
      .object({
        replicas: z
          .literal([1, 3, 5])
          .default(1)
          .describe('How many etcd instances the operator runs; 3 for production.'),
      })
      .optional()
      .describe('The operator runs etcd, on volumes that are kept.'),
    endpoints: z.array(endpointSchema).min(1).max(9).optional().meta({
      description: 'The URLs of an etcd that somebody else runs.',
      'x-kubernetes-list-type': 'set',
    }),
    prefix: z
      .string()
      .min(1)
      .max(256)
      .regex(/^\/[A-Za-z0-9_./-]*$/)
      .optional()
      .describe('Where the keys of this cluster begin; left out: /tonearm.'),
    credentialsSecretName: secretNameSchema
      .optional()
      .describe('A Secret with the keys username and password.'),
    tlsSecretName: secretNameSchema
      .optional()
      .describe('A Secret with the keys ca.crt, tls.crt and tls.key.'),
  }),
  [
    {
      rule: 'has(self.managed) != has(self.endpoints)',
      message: 'etcd is either managed or has endpoints',
      holds: (self) => (self.managed === undefined) !== (self.endpoints === undefined),
    },
    {
      rule: '!has(self.managed) || !(has(self.credentialsSecretName) || has(self.tlsSecretName))',
      message: 'credentialsSecretName and tlsSecretName go with endpoints only',
      holds: (self) =>
        self.managed === undefined ||
        (self.credentialsSecretName === undefined && self.tlsSecretName === undefined),
    },
  ],
);

const stateProviderSchema = withRules(
  z
    .object({
      etcd: etcdSchema.optional().describe('etcd, through its v3 API.'),
      stateboard: z
        .object({})
        .optional()
        .describe("Tonearm's own small provider, for development."),
    })
    .describe("Where leadership is kept; left out: the operator's default."),
  [
    {
      rule: 'has(self.etcd) != has(self.stateboard)',
      message: 'stateProvider is exactly one of etcd and stateboard',
      holds: (self) => (self.etcd === undefined) !== (self.stateboard === undefined),
    },
  ],
);

const fencingSchema = z
  .object({
    mode: z
      .enum(['None', 'Connectivity', 'Lease'])
      .default('Lease')
      .describe('When a leader stops writing: never, when it sees nobody, or without a lease.'),
    // Above a minute a lost leader would stop writes for longer than people wait.
    ttlSeconds: z
      .int()
      .min(1)
      .max(60)
      .default(2)
      .describe('How long a lease holds after it was last renewed.'),
  })
  .prefault({})
  .describe('What keeps a replica set from having two leaders.');

const autoreturnSchema = z
  .object({
    enabled: z.boolean().default(false).describe('Whether leadership goes back.'),
    delaySeconds: z.int().min(0).max(86_400).default(300).describe('How long to wait before it.'),
  })
  .prefault({})
  .describe('Gives leadership back to the first instance once it is healthy again.');

export const failoverSchema = z
  .object({
    mode: z
      .enum(['Disabled', 'Eventual', 'Stateful', 'Raft'])
      .default('Stateful')
      .describe('Who chooses leaders: nobody, membership, the state provider, or votes.'),
    failoverTimeoutSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(2)
      .describe('How long an instance is suspected before another may lead.'),
    stateProvider: stateProviderSchema.optional(),
    fencing: fencingSchema,
    leaderAutoreturn: autoreturnSchema,
  })
  .prefault({})
  .describe('How leaders are chosen when instances fail.');
