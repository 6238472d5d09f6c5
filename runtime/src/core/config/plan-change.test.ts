import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterConfig } from '../../contract/cluster-config.ts';
import type { Json } from '../../contract/json.ts';
import { buildConfig } from './apply-patch.ts';
import { type PlannedChange, planChange, type Wish } from './plan-change.ts';

const CLUSTER = '11111111-1111-4111-a111-111111111111';
const SET = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const A = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-abbb-bbbbbbbbbbbb';
const C = 'cccccccc-cccc-4ccc-accc-cccccccccccc';
const PROVIDER = { kind: 'stateboard', uri: 'board:4401', prefix: '/t', password: '' };

function topology(uuids: readonly string[], failover: Readonly<Record<string, Json>> = {}): Json {
  const servers = uuids.map((uuid) => [
    uuid,
    {
      uri: `${uuid[0]}:1`,
      http_uri: `${uuid[0]}:2`,
      alias: uuid[0] ?? '',
      replicaset_uuid: SET,
    },
  ]);
  return {
    servers: Object.fromEntries(servers) as Json,
    replicasets: { [SET]: { alias: 'set', failover_priority: uuids } },
    failover,
  };
}

function activeWith(failover: Readonly<Record<string, Json>> = {}): ClusterConfig {
  return buildConfig(
    { color: 'red', topology: topology([A, B, C], failover) },
    {
      base: { version: 4, checksum: 'four' },
      changeId: 'before',
      clusterUuid: CLUSTER,
      author: '',
      message: '',
      time: '',
    },
  );
}

function wish(fields: Partial<Wish> = {}): Wish {
  return {
    clusterUuid: CLUSTER,
    active: activeWith(),
    patch: { color: 'blue' },
    author: 'admin',
    message: 'why',
    time: '2026-01-01T00:00:00Z',
    missing: [],
    coordinator: A,
    attempt: '0',
    ...fields,
  };
}

function requested(fields: Partial<Wish> = {}) {
  const planned = planChange(wish(fields));
  assert.equal(planned.kind, 'change', JSON.stringify(planned));
  return planned.request;
}

describe('planChange', () => {
  it('asks every enabled instance for one and the same config', () => {
    const active = activeWith();
    const { change, result, patch, full } = requested({ active });
    const next = buildConfig({ color: 'blue', topology: topology([A, B, C]) }, change);
    assert.deepEqual(
      { change: { ...change, changeId: '' }, result, patch, full },
      {
        change: {
          changeId: '',
          clusterUuid: CLUSTER,
          base: { version: 5, checksum: active.meta.checksum },
          authority: 'participants',
          participants: [A, B, C].map((uuid) => ({ uuid, httpUri: `${uuid[0]}:2` })),
          author: 'admin',
          message: 'why',
          time: '2026-01-01T00:00:00Z',
        },
        result: { version: 6, checksum: next.meta.checksum },
        patch: { color: 'blue' },
        full: next,
      },
    );
  });

  it('has it decided by the provider that the wanted config names', () => {
    const active = activeWith({ state_provider: PROVIDER });
    assert.equal(requested({ active }).change.authority, 'provider');
    const first = { color: 'red', topology: topology([A], { state_provider: PROVIDER }) };
    assert.equal(requested({ active: undefined, patch: first }).change.authority, 'provider');
  });

  it('leaves out who is known to be down, if a provider decides', () => {
    const active = activeWith({ state_provider: PROVIDER });
    const { participants } = requested({ active, missing: [C] }).change;
    assert.deepEqual(
      participants.map(({ uuid }) => uuid),
      [A, B],
    );
  });

  const refusals: readonly {
    readonly name: string;
    readonly fields: Partial<Wish>;
    readonly want: readonly [code: string, field: string | undefined];
  }[] = [
    {
      name: 'another base than the present config',
      fields: { base: { version: 4, checksum: 'four' } },
      want: ['CONFIG_STALE_BASE', 'base'],
    },
    {
      name: 'a patch that is none',
      fields: { patch: { 'color.yml': '{' } },
      want: ['CONFIG_INVALID', 'sections.color.yml'],
    },
    {
      name: 'a config that no cluster could have',
      fields: { patch: { topology: topology([]) } },
      want: ['CONFIG_INVALID', `sections.topology.replicasets.${SET}`],
    },
    {
      name: 'to leave out anyone where all must decide together',
      fields: { missing: [C] },
      want: ['CONFIG_ABORTED', undefined],
    },
  ];
  for (const { name, fields, want } of refusals) {
    it(`refuses ${name}`, () => {
      const planned: PlannedChange = planChange(wish(fields));
      assert.ok(planned.kind === 'refused', planned.kind);
      assert.deepEqual([planned.refusal.code, planned.refusal.field], want);
    });
  }

  it('has nothing to do when the config is so already', () => {
    const active = activeWith();
    assert.deepEqual(planChange(wish({ active, patch: { color: 'red' } })), {
      kind: 'unchanged',
      config: active,
    });
  });
});

describe('the name of a change', () => {
  const nameOf = (fields: Partial<Wish>): string => requested(fields).change.changeId;

  it('is found again by whoever wishes the same again, later and in other words', () => {
    const again = { time: '2027-01-01T00:00:00Z', message: 'again', author: 'operator' };
    assert.equal(nameOf(again), nameOf({}));
  });

  it('is another one for another wish, base, set of participants, coordinator or attempt', () => {
    const active = activeWith({ state_provider: PROVIDER });
    const names = [
      nameOf({}),
      nameOf({ patch: { color: 'green' } }),
      nameOf({ active }),
      nameOf({ active, missing: [C] }),
      nameOf({ coordinator: B }),
      nameOf({ attempt: '1' }),
    ];
    assert.equal(new Set(names).size, names.length);
  });
});
