import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import { buildConfig } from '../config/apply-patch.ts';
import { refusalOfIssues, type ValidationContext, validateConfig } from './validate-config.ts';

const A = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-abbb-bbbbbbbbbbbb';
const C = 'cccccccc-cccc-4ccc-accc-cccccccccccc';
const R = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const S = 'eeeeeeee-eeee-4eee-aeee-eeeeeeeeeeee';

type Tree = Record<string, unknown>;

function server(name: string, replicaSet: string, more: Tree = {}): Tree {
  return {
    uri: `${name}:3301`,
    http_uri: `${name}:8081`,
    alias: name,
    replicaset_uuid: replicaSet,
    ...more,
  };
}

function replicaSet(priority: readonly string[], more: Tree = {}): Tree {
  return {
    alias: 'set',
    roles: ['vshard-storage'],
    failover_priority: priority,
    weight: 1,
    ...more,
  };
}

/** Two sets: R with A and B, S with C. */
function topology(edit: { servers?: Tree; replicasets?: Tree; more?: Tree } = {}): Tree {
  return {
    servers: { [A]: server('a', R), [B]: server('b', R), [C]: server('c', S), ...edit.servers },
    replicasets: { [R]: replicaSet([A, B]), [S]: replicaSet([C]), ...edit.replicasets },
    ...edit.more,
  };
}

function groups(edit: Tree = {}): Tree {
  const assignment = [
    { replicaset_uuid: R, first: 1, last: 5 },
    { replicaset_uuid: S, first: 6, last: 10 },
  ];
  return { default: { bucket_count: 10, bootstrapped: true, assignment, ...edit } };
}

function issues(
  sections: Tree,
  previous?: Tree,
  context: ValidationContext = {},
): readonly string[] {
  const config =
    previous === undefined
      ? undefined
      : buildConfig(previous as Record<string, Json>, {
          changeId: '',
          clusterUuid: A,
          author: '',
          message: '',
          time: '',
          base: { version: 0, checksum: '' },
        });
  return validateConfig(sections as Record<string, Json>, {
    storesBuckets,
    ...context,
    previous: config,
  }).map((issue) => `${issue.rule} ${issue.field}`);
}

const storesBuckets = (roles: readonly string[]): boolean => roles.includes('vshard-storage');

/** Their terms cannot be told apart. */
const SLOT_OF_TWO = [
  '00000000-0000-4000-8000-00000000027f',
  '00000000-0000-4000-8000-000000000443',
] as const;

const T = 'sections.topology';
const V = 'sections.vshard_groups';
const failover = (parameters: Tree): Tree => topology({ more: { failover: parameters } });
const stateful = (more: Tree): Tree => ({ failover: { mode: 'stateful', ...more } });
const etcd = { kind: 'etcd', endpoints: ['http://etcd:2379'], prefix: '/x' };

const wrong: readonly {
  readonly name: string;
  readonly topology?: Tree;
  readonly groups?: Tree;
  readonly previous?: Tree;
  readonly context?: ValidationContext;
  readonly want: readonly string[];
}[] = [
  {
    name: 'an unknown part of the topology [TVAL-01]',
    topology: topology({ more: { shards: {} } }),
    want: [`TVAL-01 ${T}.shards`],
  },
  {
    name: 'a key that is no UUID [TVAL-02]',
    topology: topology({ servers: { nobody: server('n', R) } }),
    want: [`TVAL-02 ${T}.servers.nobody`],
  },
  {
    name: 'an unknown field of an instance [TVAL-02]',
    topology: topology({ servers: { [A]: server('a', R, { colour: 'red' }) } }),
    want: [`TVAL-02 ${T}.servers.${A}.colour`],
  },
  {
    name: 'an instance without an address [TVAL-02]',
    topology: topology({ servers: { [A]: server('a', R, { uri: 3301 }) } }),
    want: [`TVAL-02 ${T}.servers.${A}.uri`],
  },
  {
    name: 'a negative weight [TVAL-03]',
    topology: topology({ replicasets: { [S]: replicaSet([C], { weight: -1 }) } }),
    want: [`TVAL-03 ${T}.replicasets.${S}.weight`],
  },
  {
    name: 'a leader named twice [TVAL-03]',
    topology: topology({ replicasets: { [R]: replicaSet([A, B, A]) } }),
    want: [`TVAL-03 ${T}.replicasets.${R}.failover_priority.2`],
  },
  {
    name: 'a replica set in which all write [TVAL-04]',
    topology: topology({ replicasets: { [S]: replicaSet([C], { all_rw: true }) } }),
    want: [`TVAL-04 ${T}.replicasets.${S}.all_rw`],
  },
  {
    name: 'an instance of an unknown replica set [TVAL-05]',
    topology: topology({ servers: { [B]: server('b', A) }, replicasets: { [R]: replicaSet([A]) } }),
    want: [`TVAL-05 ${T}.servers.${B}.replicaset_uuid`],
  },
  {
    name: 'an address used twice [TVAL-05]',
    topology: topology({ servers: { [B]: server('b', R, { uri: 'a:3301' }) } }),
    want: [`TVAL-05 ${T}.servers.${B}.uri`],
  },
  {
    name: 'a replica set without instances [TVAL-05]',
    topology: topology({ replicasets: { [A]: replicaSet([]) } }),
    want: [`TVAL-05 ${T}.replicasets.${A}`],
  },
  {
    name: 'a leader that is unknown, expelled, or of another set [TVAL-05]',
    topology: topology({
      servers: { [B]: 'expelled' },
      replicasets: { [R]: replicaSet([A, S, B, C]) },
    }),
    want: [1, 2, 3].map((index) => `TVAL-05 ${T}.replicasets.${R}.failover_priority.${index}`),
  },
  {
    name: 'the instance itself left out [TVAL-06]',
    topology: topology(),
    context: { self: S },
    want: [`TVAL-06 ${T}.servers.${S}`],
  },
  {
    name: 'the instance itself disabled [TVAL-06]',
    topology: topology({ servers: { [A]: server('a', R, { disabled: true }) } }),
    context: { self: A },
    want: [`TVAL-06 ${T}.servers.${A}.disabled`],
  },
  {
    name: 'an instance that vanishes [TVAL-07]',
    topology: { servers: { [A]: server('a', R) }, replicasets: { [R]: replicaSet([A]) } },
    previous: { topology: { servers: { [A]: server('a', R), [B]: server('b', R) } } },
    want: [`TVAL-07 ${T}.servers.${B}`],
  },
  {
    name: 'an expelled instance that comes back [TVAL-07]',
    topology: topology(),
    previous: { topology: topology({ servers: { [B]: 'expelled' } }) },
    want: [`TVAL-07 ${T}.servers.${B}`],
  },
  {
    name: 'an instance that moves to another replica set [TVAL-07]',
    topology: topology(),
    previous: { topology: topology({ servers: { [C]: server('c', R) } }) },
    want: [`TVAL-07 ${T}.servers.${C}.replicaset_uuid`],
  },
  {
    name: 'a role that the application does not have [TVAL-07]',
    topology: topology({
      replicasets: { [R]: replicaSet([A, B], { roles: ['vshard-storage', 'new'] }) },
    }),
    context: { knownRoles: ['vshard-storage'] },
    want: [`TVAL-07 ${T}.replicasets.${R}.roles.1`],
  },
  {
    name: 'an unknown failover mode [TVAL-08]',
    topology: failover({ mode: 'fast' }),
    want: [`TVAL-08 ${T}.failover.mode`],
  },
  {
    name: 'an unknown failover field [TVAL-08]',
    topology: failover({ speed: 1 }),
    want: [`TVAL-08 ${T}.failover.speed`],
  },
  {
    name: 'negative times of failover [TVAL-09]',
    topology: failover({
      ...{ failover_timeout: -1, fencing_timeout: -1, autoreturn_delay: -1, immunity_timeout: -1 },
    }),
    want: ['failover_timeout', 'fencing_timeout', 'autoreturn_delay', 'immunity_timeout'].map(
      (field) => `TVAL-09 ${T}.failover.${field}`,
    ),
  },
  {
    name: 'times of failover that are no numbers [TVAL-09]',
    topology: failover({
      ...{ failover_timeout: Number.NaN, fencing_timeout: Number.NaN, fencing_pause: Number.NaN },
      ...{ fencing_ttl: Number.NaN, autoreturn_delay: '5' },
    }),
    want: [
      ...['failover_timeout', 'fencing_timeout', 'fencing_pause', 'fencing_ttl'],
      'autoreturn_delay',
    ].map((field) => `TVAL-09 ${T}.failover.${field}`),
  },
  {
    name: 'times of failover that must be longer than nothing [TVAL-09]',
    topology: failover({ fencing_pause: 0, failover_suppress_timeout: 0 }),
    want: ['fencing_pause', 'failover_suppress_timeout'].map(
      (field) => `TVAL-09 ${T}.failover.${field}`,
    ),
  },
  {
    name: 'a time longer than a day [TVAL-09]',
    topology: failover({ autoreturn_delay: 86_401 }),
    want: [`TVAL-09 ${T}.failover.autoreturn_delay`],
  },
  {
    name: 'a lease too short to be renewed [TVAL-09]',
    topology: failover({ fencing_ttl: 0.1 }),
    want: [`TVAL-09 ${T}.failover.fencing_ttl`],
  },
  {
    name: 'switches of failover that are no booleans [TVAL-09]',
    topology: failover({ fencing_enabled: 1, leader_autoreturn: 'yes', check_cookie_hash: 0 }),
    want: ['fencing_enabled', 'leader_autoreturn', 'check_cookie_hash'].map(
      (field) => `TVAL-09 ${T}.failover.${field}`,
    ),
  },
  {
    name: 'fencing that comes no earlier than failover [TVAL-11]',
    topology: failover({ fencing_enabled: true, failover_timeout: 10, fencing_timeout: 10 }),
    want: [`TVAL-11 ${T}.failover.failover_timeout`],
  },
  {
    name: 'fencing that looks less often than it has to notice [TVAL-11]',
    topology: failover({ fencing_enabled: true, failover_timeout: 3, fencing_timeout: 1 }),
    want: [`TVAL-11 ${T}.failover.fencing_timeout`],
  },
  {
    name: 'two instances of one set that would take the same terms [FO-26]',
    topology: topology({
      servers: { [SLOT_OF_TWO[0]]: server('d', R), [SLOT_OF_TWO[1]]: server('e', R) },
      more: { failover: { mode: 'eventual' } },
    }),
    want: [`FO-26 ${T}.servers.${SLOT_OF_TWO[1]}`],
  },
  {
    name: 'stateful failover without a provider [TVAL-10]',
    topology: topology({ more: stateful({}) }),
    want: [`TVAL-10 ${T}.failover.state_provider`],
  },
  {
    name: 'a mask in the place of a password [FO-18]',
    topology: topology({ more: stateful({ state_provider: { ...etcd, password: '******' } }) }),
    want: [`FO-18 ${T}.failover.state_provider.password`],
  },
  {
    name: 'an unknown field of the provider [TVAL-10]',
    topology: topology({ more: stateful({ state_provider: { ...etcd, colour: 1 } }) }),
    want: [`TVAL-10 ${T}.failover.state_provider.colour`],
  },
  {
    name: 'the old form of failover [TVAL-12]',
    topology: topology({ more: { failover: true } }),
    want: [`TVAL-12 ${T}.failover`],
  },
  {
    name: 'a group that is no map [VVAL-01]',
    groups: { default: 3 },
    want: [`VVAL-01 ${V}.default`],
  },
  {
    name: 'a bucket count that changes [VVAL-01]',
    groups: groups({ bucket_count: 9, assignment: [{ replicaset_uuid: R, first: 1, last: 9 }] }),
    previous: { topology: topology(), vshard_groups: groups() },
    want: [`VVAL-01 ${V}.default.bucket_count`, `VVAL-01 ${V}.default.assignment`],
  },
  {
    name: 'a bootstrapped group that vanishes [VVAL-01]',
    groups: {},
    previous: { topology: topology(), vshard_groups: groups() },
    want: [`VVAL-01 ${V}.default`],
  },
  {
    name: 'a bucket without an owner [VVAL-01]',
    groups: groups({ bucket_count: 11 }),
    want: [`VVAL-01 ${V}.default.assignment`],
  },
  {
    name: 'a bucket with two owners [VVAL-01]',
    groups: groups({
      assignment: [
        { replicaset_uuid: R, first: 1, last: 6 },
        { replicaset_uuid: S, first: 6, last: 10 },
      ],
    }),
    want: [`VVAL-01 ${V}.default.assignment`],
  },
  {
    name: 'storages without any weight [VVAL-03]',
    topology: topology({
      replicasets: { [R]: replicaSet([A, B], { weight: 0 }), [S]: replicaSet([C], { weight: 0 }) },
    }),
    want: [`VVAL-03 ${T}.replicasets.${R}.weight`],
  },
  {
    name: 'a storage of an unknown group [VVAL-04]',
    topology: topology({ replicasets: { [S]: replicaSet([C], { vshard_group: 'cold' }) } }),
    want: [`VVAL-04 ${T}.replicasets.${S}.vshard_group`],
  },
  {
    name: 'a storage that changes its group [VVAL-04]',
    topology: topology({ replicasets: { [S]: replicaSet([C], { vshard_group: 'cold' }) } }),
    groups: { default: { bucket_count: 10 }, cold: { bucket_count: 10 } },
    previous: { topology: topology() },
    want: [`VVAL-04 ${T}.replicasets.${S}.vshard_group`],
  },
  {
    name: 'an owner of buckets that loses its role [VVAL-06]',
    topology: topology({ replicasets: { [S]: replicaSet([C], { roles: [] }) } }),
    groups: groups(),
    want: [`VVAL-06 ${V}.default.assignment.1.replicaset_uuid`],
  },
];

describe('validateConfig', () => {
  it('accepts a whole config', () => {
    const sections = {
      topology: topology({ more: stateful({ state_provider: etcd }) }),
      vshard_groups: groups(),
    };
    assert.deepEqual(issues(sections, sections, { self: A, knownRoles: [] }), []);
  });

  it('does not compare the times of fencing where it is not enabled [TVAL-11]', () => {
    const parameters = { failover_timeout: 1, fencing_timeout: 10, fencing_pause: 20 };
    assert.deepEqual(issues({ topology: failover(parameters) }), []);
    const enabled = { fencing_enabled: true, failover_timeout: 3, fencing_timeout: 2 };
    assert.deepEqual(issues({ topology: failover(enabled) }), []);
  });

  it('fills in what is left out of failover with its defaults [FO-10] [FO-12] [FO-15] [FO-16] [FO-17]', () => {
    assert.deepEqual(topologySchema.parse({}).failover, {
      mode: 'disabled',
      failover_timeout: 2,
      fencing_enabled: false,
      fencing_timeout: 10,
      fencing_pause: 2,
      fencing_ttl: 2,
      leader_autoreturn: false,
      autoreturn_delay: 300,
      check_cookie_hash: true,
      enable_failover_suppressing: false,
      failover_suppress_threshold: 5,
      failover_suppress_timeout: 60,
      immunity_timeout: 15,
      spread_leaders: 'none',
      disable_raft_on_small_clusters: true,
    });
  });

  it('lets two instances of different sets take the same terms [FO-26]', () => {
    const servers = { [SLOT_OF_TWO[0]]: server('d', R), [SLOT_OF_TWO[1]]: server('e', S) };
    const eventual = topology({ servers, more: { failover: { mode: 'eventual' } } });
    assert.deepEqual(issues({ topology: eventual }), []);
  });

  it('refuses a config without a topology [2PC-03]', () => {
    assert.deepEqual(issues({}), [`2PC-03 ${T}`]);
  });

  for (const { name, previous, context, want, ...parts } of wrong) {
    it(`refuses ${name}`, () => {
      const vshard = parts.groups === undefined ? {} : { vshard_groups: parts.groups };
      assert.deepEqual(
        issues({ topology: parts.topology ?? topology(), ...vshard }, previous, context),
        want,
      );
    });
  }

  it('judges no weight where it is not known which roles store buckets', () => {
    const drained = topology({
      replicasets: { [R]: replicaSet([A, B], { weight: 0 }), [S]: replicaSet([C], { weight: 0 }) },
    });
    assert.deepEqual(issues({ topology: drained }, undefined, { storesBuckets: undefined }), []);
  });

  it('tolerates an unknown role that is enabled already [TVAL-07]', () => {
    assert.deepEqual(
      issues({ topology: topology() }, { topology: topology() }, { knownRoles: [] }),
      [],
    );
  });

  it('says the first issue, its rule, and how many more there are', () => {
    const found = [
      { field: 'sections.a', rule: 'X-1', message: 'is wrong' },
      { field: 'sections.b', rule: 'X-2', message: 'too' },
    ];
    assert.deepEqual(refusalOfIssues(found), {
      code: 'CONFIG_INVALID',
      message: 'sections.a: is wrong [X-1] (and 1 more)',
      field: 'sections.a',
    });
    assert.equal(refusalOfIssues([]), undefined);
  });
});
