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
      .optional()
      .describe(
        'When a leader stops writing: never, when it sees no majority, or without a lease. Left out: Lease with mode Stateful, None with the others.',
      ),
    // Above a minute a lost leader would stop writes for longer than people wait.
    ttlSeconds: z
      .int()
      .min(1)
      .max(60)
      .default(2)
      .describe('Lease: how long it holds after it was last renewed.'),
    timeoutSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(10)
      .describe('Connectivity: how long a leader leads on without a majority in sight.'),
    pauseSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(2)
      .describe('Connectivity: how long between two looks.'),
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

const suppressingSchema = z
  .object({
    enabled: z.boolean().default(false).describe('Whether a replica set is left alone.'),
    threshold: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(5)
      .describe('How many changes of its leader in a window are not too many yet.'),
    windowSeconds: z.int().min(1).max(86_400).default(60).describe('How long a window is.'),
  })
  .prefault({})
  .describe('Leaves a replica set alone for a while when its leader changed too often.');

export const failoverSchema = withRules(
  z.object({
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
    checkCookieHash: z
      .boolean()
      .default(true)
      .describe('Whether a state provider is refused that a cluster with another cookie uses.'),
    suppressing: suppressingSchema,
    immunityTimeoutSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(15)
      .describe('How long a leader that was just appointed stays, even if it seems unhealthy.'),
    preferredZone: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('Of several instances that may lead, one of this zone is taken.'),
    spreadLeaders: z
      .enum(['None', 'Zone', 'Node'])
      .default('None')
      .describe('Whether leaders of different replica sets are kept apart, and by what.'),
    disableRaftOnSmallClusters: z
      .boolean()
      .default(true)
      .describe('Raft: whether sets of one or two instances behave as with mode Disabled instead.'),
  }),
  [
    {
      rule: "!has(self.fencing) || !has(self.fencing.mode) || self.fencing.mode != 'Connectivity' || (self.failoverTimeoutSeconds > self.fencing.timeoutSeconds && self.fencing.timeoutSeconds >= self.fencing.pauseSeconds)",
      message:
        'with fencing.mode Connectivity failoverTimeoutSeconds must be longer than fencing.timeoutSeconds, and that not shorter than fencing.pauseSeconds',
      holds: ({ fencing, failoverTimeoutSeconds }) =>
        fencing.mode !== 'Connectivity' ||
        (failoverTimeoutSeconds > fencing.timeoutSeconds &&
          fencing.timeoutSeconds >= fencing.pauseSeconds),
    },
  ],
)
  .prefault({})
  .describe('How leaders are chosen when instances fail.');
