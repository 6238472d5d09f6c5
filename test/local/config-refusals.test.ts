import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClusterConfig } from '@tonearm/runtime/contract';
import { setUuid } from '../support/first-config.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { startStateboard } from '../support/stateboard.ts';

const STORAGE = setUuid(1);
const STRANGER = '00000000-0000-4000-8000-0000000000ff';

interface Editable {
  readonly topology: {
    servers: Record<string, Record<string, unknown>>;
    replicasets: Record<string, Record<string, unknown>>;
    failover: Record<string, unknown>;
  };
  readonly vshard_groups: Record<string, Record<string, unknown>>;
}

interface Refused {
  readonly what: string;
  readonly status: number;
  readonly field: string;
  /** Part of the message: the rule. */
  readonly rule: RegExp;
  readonly patch?: (sections: Editable, uuids: readonly string[]) => Record<string, unknown>;
  readonly put?: string;
}

const TOPOLOGY = 'sections.topology';
const GROUPS = 'sections.vshard_groups';

/** `#0` stands for the router, `#1` and `#2` for the storages. */
const REFUSED: readonly Refused[] = [
  {
    what: 'a field that nobody knows',
    ...{ status: 400, field: `${TOPOLOGY}.failover.speed`, rule: /is not a known field/ },
    patch: ({ topology }) => ({
      topology: { ...topology, failover: { ...topology.failover, speed: 'fast' } },
    }),
  },
  {
    what: 'stateful failover without a state provider',
    ...{ status: 400, field: `${TOPOLOGY}.failover.state_provider`, rule: /is required by mode/ },
    patch: ({ topology }) => ({ topology: { ...topology, failover: { mode: 'stateful' } } }),
  },
  {
    what: 'a mode of failover that does not exist',
    ...{ status: 400, field: `${TOPOLOGY}.failover.mode`, rule: /disabled.*stateful/ },
    patch: ({ topology }) => ({
      topology: { ...topology, failover: { ...topology.failover, mode: 'fast' } },
    }),
  },
  {
    what: 'a lease that is over at once',
    ...{ status: 400, field: `${TOPOLOGY}.failover.fencing_ttl`, rule: />=0.2/ },
    patch: ({ topology }) => ({
      topology: { ...topology, failover: { ...topology.failover, fencing_ttl: 0 } },
    }),
  },
  {
    what: 'an instance that is left out',
    ...{ status: 400, field: `${TOPOLOGY}.servers.#2`, rule: /cannot be left out: expel it/ },
    patch: ({ topology }, [, leader = '', follower = '']) => {
      const { [follower]: _, ...servers } = topology.servers;
      topology.replicasets[STORAGE]!['failover_priority'] = [leader];
      return { topology: { ...topology, servers } };
    },
  },
  {
    what: 'two instances at one address',
    ...{ status: 400, field: `${TOPOLOGY}.servers.#2.uri`, rule: /and so is/ },
    patch: ({ topology }, [, one = '', other = '']) => {
      topology.servers[other]!['uri'] = topology.servers[one]!['uri'];
      return { topology };
    },
  },
  {
    what: 'a leader that is no instance',
    ...{ status: 400, field: `${TOPOLOGY}.replicasets.${STORAGE}.failover_priority.2` },
    rule: /which is unknown/,
    patch: ({ topology }, [, ...storages]) => {
      topology.replicasets[STORAGE]!['failover_priority'] = [...storages, STRANGER];
      return { topology };
    },
  },
  {
    what: 'a role that the application has not',
    ...{
      status: 400,
      field: `${TOPOLOGY}.replicasets.${STORAGE}.roles.1`,
      rule: /app.roles.ghost/,
    },
    patch: ({ topology }) => {
      topology.replicasets[STORAGE]!['roles'] = ['app.roles.storage', 'app.roles.ghost'];
      return { topology };
    },
  },
  {
    what: 'no replica set that takes buckets',
    ...{ status: 400, field: `${TOPOLOGY}.replicasets.${STORAGE}.weight`, rule: /one must take/ },
    patch: ({ topology }) => {
      topology.replicasets[STORAGE]!['weight'] = 0;
      return { topology };
    },
  },
  {
    what: 'another number of buckets',
    ...{ status: 400, field: `${GROUPS}.default.bucket_count`, rule: /cannot change once/ },
    patch: ({ vshard_groups: { default: group } }) => ({
      vshard_groups: { default: { ...group, bucket_count: 301 } },
    }),
  },
  {
    what: 'buckets of nobody',
    ...{ status: 400, field: `${GROUPS}.default.assignment`, rule: /./ },
    patch: ({ vshard_groups: { default: group } }) => ({
      vshard_groups: { default: { ...group, assignment: [] } },
    }),
  },
  {
    what: 'no topology',
    ...{ status: 400, field: TOPOLOGY, rule: /./ },
    patch: () => ({ topology: null }),
  },
  {
    what: 'a value that the schema of a role forbids',
    ...{ status: 400, field: 'sections.app.roles.storage.maxSalary', rule: />=0/ },
    patch: () => ({ 'app.roles.storage': { maxSalary: -1 } }),
  },
  {
    what: 'a key that the schema of a role does not know',
    ...{ status: 400, field: 'sections.app.roles.storage', rule: /"minSalary"/ },
    patch: () => ({ 'app.roles.storage': { minSalary: 1 } }),
  },
  {
    what: 'a name that leads out of the folder',
    ...{ status: 400, field: 'sections.../secret', rule: /must be letters/ },
    patch: () => ({ '../secret': 'text' }),
  },
  {
    what: 'an upload with a name that leads out of the folder',
    ...{ status: 400, field: '../secret', rule: /must be letters/, put: '../secret: text\n' },
  },
  {
    what: 'an upload that is not YAML',
    ...{ status: 400, field: 'body', rule: /is not valid YAML/, put: 'a: [1' },
  },
  {
    what: 'an upload that is a list',
    ...{ status: 400, field: 'body', rule: /must be one YAML map/, put: '- a\n- b\n' },
  },
  {
    what: 'an upload of a section of the system',
    ...{ status: 400, field: 'topology', rule: /belongs to the system/, put: 'topology: {}\n' },
  },
  {
    what: 'an upload that a role refuses',
    ...{ status: 400, field: 'sections.app.roles.storage.maxSalary', rule: /expected number/ },
    put: 'app.roles.storage:\n  maxSalary: much\n',
  },
];

describe('a config that is not valid', () => {
  const running = new AsyncDisposableStack();
  let cluster: LocalCluster;
  let uuids: readonly string[];

  before(async () => {
    const stateboard = running.adopt(await startStateboard(), (started) => started.stop());
    const provider = stateboard.provider('/test');
    const starting = LocalCluster.start({ provider, storages: [2] });
    cluster = running.adopt(await starting, (started) => started.stop());
    const statuses = await Promise.all(cluster.instances.map((instance) => instance.status()));
    uuids = statuses.map(({ uuid }) => uuid);
  });
  after(() => running.disposeAsync());

  async function config(): Promise<ClusterConfig> {
    const answer = await cluster.router.request('GET', '/admin/cluster-config');
    return answer.body as ClusterConfig;
  }

  async function send(bad: Refused): Promise<{ status: number; body: unknown }> {
    if (bad.put !== undefined) {
      const answer = await cluster.router.put('/admin/config', bad.put);
      return answer;
    }
    const sections = structuredClone((await config()).sections) as unknown as Editable;
    return cluster.patch(cluster.router, bad.patch?.(sections, uuids) ?? {});
  }

  for (const bad of REFUSED) {
    it(`is refused: ${bad.what}`, async () => {
      const before = await config();
      const { status, body } = await send(bad);
      const { field, message } = body as { field?: string; message: string };
      const own = uuids.reduce(
        (text, uuid, index) => text.replaceAll(uuid, `#${index}`),
        field ?? '',
      );
      assert.deepEqual({ status, field: own }, { status: bad.status, field: bad.field }, message);
      assert.match(message, bad.rule);
      assert.deepEqual(await config(), before);
      const statuses = await Promise.all(cluster.instances.map((instance) => instance.status()));
      const { version, checksum } = before.meta;
      assert.deepEqual(
        statuses.map((one) => ({ config: one.config, lock: one.preparedChangeId })),
        statuses.map(() => ({ config: { version, checksum }, lock: null })),
      );
    });
  }
});
