import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCluster } from '../testing/cluster-objects.ts';
import { settledWorld } from '../testing/snapshots.ts';
import type { ConfigSource } from './snapshot.ts';
import { managedSections, wantedSections } from './wanted-sections.ts';

function from(name: string, sections: Record<string, unknown>): ConfigSource {
  return { kind: 'read', name: `ConfigMap ${name}`, sections: sections as never };
}

describe('wantedSections', () => {
  const cases: readonly {
    readonly name: string;
    readonly sources?: readonly ConfigSource[];
    readonly config?: Readonly<Record<string, unknown>>;
    readonly want: Readonly<Record<string, unknown>>;
  }[] = [
    { name: 'are none where the Cluster names none', want: { kind: 'sections', sections: {} } },
    {
      name: 'are those of the Cluster over those of its sources, the last source first',
      sources: [from('a', { x: 'a', y: 'a', z: 'a' }), from('b', { y: 'b', z: 'b' })],
      config: { z: 'own' },
      want: { kind: 'sections', sections: { x: 'a', y: 'b', z: 'own' } },
    },
    {
      name: 'are without those that have no value, whoever gave one before',
      sources: [from('a', { x: 'a', y: null })],
      config: { x: null },
      want: { kind: 'sections', sections: {} },
    },
    {
      name: 'have one name, with and without .yml',
      sources: [from('a', { greeting: 'source' })],
      config: { 'greeting.yml': { text: 'own' } },
      want: { kind: 'sections', sections: { greeting: { text: 'own' } } },
    },
    {
      name: 'are unusable with a source that cannot be read, with its reason',
      sources: [
        from('a', { x: 'a' }),
        { kind: 'unusable', name: 'Secret b', reason: 'does not exist: create it.' },
      ],
      want: {
        kind: 'unusable',
        reason: 'ConfigSourceUnusable',
        message: 'spec.configFrom: Secret b does not exist: create it.',
      },
    },
    ...['topology', 'topology.yml', 'vshard_groups', 'auth', 'users_acl'].map((key) => ({
      name: `are unusable with the key ${key} in a source`,
      sources: [from('a', { [key]: {} })],
      want: {
        kind: 'unusable',
        reason: 'SectionReserved',
        message: `spec.configFrom: ConfigMap a has the key ${key}, a section that belongs to the system: use the fields of the Cluster.`,
      },
    })),
  ];

  for (const { name, sources = [], config, want } of cases) {
    it(name, () => {
      const cluster = buildCluster(config === undefined ? {} : { config });
      assert.deepEqual(wantedSections({ cluster, configSources: sources }), want);
    });
  }
});

describe('managedSections', () => {
  it('keeps a section in mind until the config has lost it', () => {
    const world = settledWorld(buildCluster({ config: { old: { a: 1 } } }));
    world.editSpec((spec) => ({ ...spec, config: { next: { b: 1 } } }));
    assert.deepEqual(managedSections(world.snapshot()), ['next', 'old']);
    for (let round = 0; round < 5; round++) world.reconcile();
    assert.deepEqual(managedSections(world.snapshot()), ['next']);
  });

  it('forgets no section while nobody tells the config', () => {
    const world = settledWorld(buildCluster({ config: { old: { a: 1 } } }));
    world.editSpec((spec) => ({ ...spec, config: { next: { b: 1 } } }));
    const silent = { ...world.snapshot(), config: undefined };
    assert.deepEqual(managedSections(silent), ['next', 'old']);
  });

  it('stays as it was while the sources cannot be read: nothing of it may be forgotten', () => {
    const world = settledWorld(buildCluster({ config: { old: { a: 1 } } }));
    world.editSpec((spec) => ({ ...spec, config: undefined }));
    const configSources: readonly ConfigSource[] = [
      { kind: 'unusable', name: 'Secret b', reason: 'does not exist' },
    ];
    assert.deepEqual(managedSections({ ...world.snapshot(), configSources }), ['old']);
  });
});
