import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Topology, topologySchema } from '../../contract/cluster-config.ts';
import { toSection } from '../config/read-sections.ts';
import { assignBuckets, bootstrapGroup } from './assign-buckets.ts';
import {
  addReplicaSet,
  editFailover,
  editInstance,
  editReplicaSet,
  expelInstance,
  joinInstance,
  type TopologyEdit,
} from './edit-topology.ts';
import { validateConfig } from './validate-config.ts';

const A = 'aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-abbb-bbbbbbbbbbbb';
const R = 'dddddddd-dddd-4ddd-addd-dddddddddddd';
const S = 'eeeeeeee-eeee-4eee-aeee-eeeeeeeeeeee';
const EMPTY = topologySchema.parse({});

function edited(edit: TopologyEdit): Topology {
  return edit.kind === 'edited' ? edit.topology : assert.fail(edit.refusal.message);
}

function refusedField(edit: TopologyEdit): string | undefined {
  return edit.kind === 'refused' ? edit.refusal.field : 'not refused';
}

function join(topology: Topology, uuid: string, name: string): Topology {
  return edited(joinInstance(topology, newInstance(uuid, name)));
}

function newInstance(uuid: string, name: string): Parameters<typeof joinInstance>[1] {
  return { uuid, alias: name, uri: `${name}:3301`, httpUri: `${name}:8081`, replicaSetUuid: R };
}

const set = { uuid: R, alias: 'one', roles: ['vshard-storage'], weight: 1 };
const two = join(join(edited(addReplicaSet(EMPTY, set)), A, 'a'), B, 'b');

describe('topology edits', () => {
  it('join instances at the end of the priority [TOPO-02]', () => {
    assert.deepEqual(two.replicasets[R]?.failover_priority, [A, B]);
    assert.deepEqual(validateConfig({ topology: toSection(two) }), []);
  });

  it('may be repeated', () => {
    assert.deepEqual(join(two, B, 'b'), two);
    assert.deepEqual(edited(addReplicaSet(two, set)), two);
    const once = edited(expelInstance(two, B));
    assert.deepEqual(edited(expelInstance(once, B)), once);
  });

  it('expel for ever, and take the next leader [TOPO-07]', () => {
    const without = edited(expelInstance(two, A));
    assert.equal(without.servers[A], 'expelled');
    assert.deepEqual(without.replicasets[R]?.failover_priority, [B]);
    assert.equal(
      refusedField(joinInstance(without, newInstance(A, 'a'))),
      `sections.topology.servers.${A}`,
    );
  });

  it('remove a replica set with its last instance [TOPO-07]', () => {
    const none = edited(expelInstance(edited(expelInstance(two, A)), B));
    assert.deepEqual(none.replicasets, {});
  });

  it('put named leaders first and keep the order of the others [TOPO-06]', () => {
    const edit = editReplicaSet(two, R, { failover_priority: [B], weight: 2, roles: ['x'] });
    assert.deepEqual(edited(edit).replicasets[R], {
      alias: 'one',
      roles: ['x'],
      failover_priority: [B, A],
      weight: 2,
      vshard_group: 'default',
      all_rw: false,
    });
  });

  it('keep a zone, and remove it with a blank [TOPO-13]', () => {
    const zoned = edited(editInstance(two, A, { zone: 'z1', disabled: true }));
    const moved = edited(editInstance(zoned, A, { uri: 'c:3301', disabled: false }));
    const server = moved.servers[A];
    assert.deepEqual(server, { ...(two.servers[A] as object), uri: 'c:3301', zone: 'z1' });
    assert.deepEqual(edited(editInstance(moved, A, { zone: ' ', uri: 'a:3301' })), two);
  });

  it('refuse what does not exist, naming it', () => {
    assert.deepEqual(
      [
        joinInstance(EMPTY, newInstance(A, 'a')),
        expelInstance(two, S),
        editInstance(two, S, {}),
        editReplicaSet(two, S, {}),
        editReplicaSet(two, R, { failover_priority: [S] }),
      ].map(refusedField),
      [
        `sections.topology.servers.${A}`,
        `sections.topology.servers.${S}`,
        `sections.topology.servers.${S}`,
        `sections.topology.replicasets.${S}`,
        `sections.topology.replicasets.${R}.failover_priority`,
      ],
    );
  });
});

function weighted(weights: readonly number[]): Topology {
  const sets = weights.map((weight, index) => {
    const uuid = `${String(index).padStart(8, '0')}${R.slice(8)}`;
    return { uuid, alias: String(index), roles: ['vshard-storage'], weight };
  });
  return sets.reduce((topology, one) => edited(addReplicaSet(topology, one)), EMPTY);
}

describe('editFailover', () => {
  const failover = { mode: 'stateful', failover_timeout: 3, state_provider: { kind: 'a', b: 1 } };

  it('keeps what is not given, and replaces the state provider as a whole [FO-19]', () => {
    assert.deepEqual(
      editFailover({ servers: {}, failover }, { fencing_ttl: 1, state_provider: { kind: 'x' } }),
      { servers: {}, failover: { ...failover, fencing_ttl: 1, state_provider: { kind: 'x' } } },
    );
  });

  it('takes a field away for null, so that it has its default', () => {
    assert.deepEqual(editFailover({ failover }, { failover_timeout: null, state_provider: null }), {
      failover: { mode: 'stateful' },
    });
    assert.deepEqual(editFailover({}, { mode: 'raft' }), { failover: { mode: 'raft' } });
  });
});

describe('assignBuckets', () => {
  it('splits by weight, the remainder to the largest fractions', () => {
    const ranges = assignBuckets(weighted([1, 0, 1, 1]), { group: 'default', bucketCount: 10 });
    assert.deepEqual(
      ranges.map(({ first, last }) => [first, last]),
      [
        [1, 4],
        [5, 7],
        [8, 10],
      ],
    );
  });

  it('gives every bucket exactly one owner, whatever the order of the sets', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 5000 }), (list, bucketCount) => {
        fc.pre(list.some((weight) => weight > 0));
        const topology = weighted(list);
        const result = bootstrapGroup({}, topology, { group: 'default', bucketCount });
        const groups = result.kind === 'bootstrapped' ? result.groups : assert.fail('refused');
        const found = validateConfig({
          topology: toSection(topology),
          vshard_groups: toSection(groups),
        });
        assert.deepEqual(
          found.filter((issue) => issue.rule.startsWith('VVAL')),
          [],
        );
        const reversed = Object.fromEntries(Object.entries(topology.replicasets).toReversed());
        assert.deepEqual(
          assignBuckets({ ...topology, replicasets: reversed }, { group: 'default', bucketCount }),
          groups['default']?.assignment,
        );
      }),
    );
  });

  it('keeps a bootstrapped group, and refuses one that nobody can own', () => {
    const options = { group: 'default', bucketCount: 10 };
    const first = bootstrapGroup({}, weighted([1]), options);
    const groups = first.kind === 'bootstrapped' ? first.groups : assert.fail('refused');
    assert.deepEqual(bootstrapGroup(groups, weighted([1, 1]), options), first);
    const refused = bootstrapGroup({}, weighted([0]), options);
    assert.equal(
      refused.kind === 'refused' && refused.refusal.field,
      'sections.vshard_groups.default',
    );
  });
});
