import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildCluster } from '../testing/cluster-objects.ts';
import { ModelWorld } from '../testing/model-world.ts';
import { type ClusterPlan, planCluster } from './plan-cluster.ts';

const ROUNDS_MAX = 60;

/** Reconciles until nothing is left to do, and answers the last plan. */
function settle(world: ModelWorld): ClusterPlan {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const plan = world.reconcile();
    if (plan.actions.length === 0 && plan.status === undefined) {
      if (plan.replicaSetStatuses.size === 0) return plan;
    }
  }
  return assert.fail(`not settled: ${JSON.stringify(world.plan().trace, null, 1)}`);
}

function settled(cluster = buildCluster()): ModelWorld {
  const world = new ModelWorld(cluster);
  settle(world);
  return world;
}

function condition(world: ModelWorld, type: string): string {
  const found = world.cluster.status?.conditions?.find((one) => one.type === type);
  return `${found?.status ?? 'none'} ${found?.reason ?? ''}`;
}

const ALL = [
  'employees-router-1-0',
  'employees-storage-1-0',
  'employees-storage-1-1',
  'employees-storage-2-0',
  'employees-storage-2-1',
];

describe('planCluster, bootstrapping', () => {
  it('makes a cluster from a manifest with one change', () => {
    const world = settled();
    assert.deepEqual(world.joined(), ALL);
    assert.equal(world.changes, 1);
    assert.deepEqual(
      ['Ready', 'UpToDate', 'Progressing', 'Degraded', 'SpecValid', 'Bootstrapped'].map(
        (type) => `${type} ${condition(world, type)}`,
      ),
      [
        'Ready True Serving',
        'UpToDate True Realised',
        'Progressing False Settled',
        'Degraded False Healthy',
        'SpecValid True Accepted',
        'Bootstrapped True Bootstrapped',
      ],
    );
  });

  it('gives buckets to storages only, and weight to nobody else', () => {
    const { config } = settled();
    const topology = config?.sections['topology'] as {
      replicasets: Record<string, { alias: string; weight: number }>;
    };
    const groups = config?.sections['vshard_groups'] as {
      default: { assignment: { replicaset_uuid: string; first: number; last: number }[] };
    };
    const owners = groups.default.assignment.map(({ replicaset_uuid: uuid, first, last }) => [
      topology.replicasets[uuid]?.alias,
      last - first + 1,
    ]);
    assert.deepEqual(owners, [
      ['employees-storage-1', 50],
      ['employees-storage-2', 50],
    ]);
    const weights = Object.values(topology.replicasets).map(({ alias, weight }) => [alias, weight]);
    assert.deepEqual(weights, [
      ['employees-router-1', 0],
      ['employees-storage-1', 1],
      ['employees-storage-2', 1],
    ]);
  });

  it('waits for every instance before the first config', () => {
    const world = new ModelWorld(buildCluster());
    world.reconcile();
    world.reconcile();
    world.silent.add('employees-storage-2-1');
    for (let round = 0; round < 10; round++) world.reconcile();
    assert.equal(world.changes, 0);
    assert.equal(condition(world, 'Ready'), 'False WaitingForInstances');
    world.silent.clear();
    settle(world);
    assert.deepEqual(world.joined(), ALL);
  });

  it('waits for its etcd before the first config, and starts the instances meanwhile', () => {
    const world = new ModelWorld(
      buildCluster({ failover: { stateProvider: { etcd: { managed: { replicas: 3 } } } } }),
    );
    for (let round = 0; round < 10; round++) world.reconcile();
    assert.deepEqual([world.changes, world.pods.size], [0, ALL.length + 3]);
    assert.equal(condition(world, 'Ready'), 'False WaitingForEtcd');
    world.setReady('employees-etcd', 2);
    settle(world);
    assert.deepEqual(world.joined(), ALL);
  });

  it('never begins a second cluster with blank instances', () => {
    const world = settled();
    for (const pod of world.pods) world.loseDisk(pod);
    const plan = world.plan();
    assert.deepEqual(plan.actions, []);
    world.reconcile();
    assert.equal(condition(world, 'Degraded'), 'True DataLost');
    assert.equal(world.changes, 1);
  });
});

describe('planCluster, adopting', () => {
  const NEW_UID = '0a000000-0000-4000-8000-000000000002';
  const again = (): ReturnType<typeof buildCluster> => {
    const cluster = buildCluster();
    return { ...cluster, metadata: { ...cluster.metadata, uid: NEW_UID } };
  };

  it('takes the volumes of a deleted cluster over, with its identity, config and rows', () => {
    const world = settled();
    const uuid = world.cluster.status?.uuid;
    const disks = new Map([...world.disks].filter(([pod]) => pod.includes('storage')));
    const uuids = [...disks].map(([pod, disk]) => [pod, disk.uuid]);
    world.replaceCluster(again());
    settle(world);
    assert.equal(world.cluster.status?.uuid, uuid);
    assert.deepEqual(world.joined(), ALL);
    assert.deepEqual(
      uuids.map(([pod]) => [pod, world.disks.get(pod ?? '')?.uuid]),
      uuids,
    );
    // The router had no volume: it is replaced, in the replica set that it was in.
    assert.equal(Object.keys(world.topology().replicasets).length, 3);
    assert.equal(world.changes, 2);
    assert.equal(condition(world, 'UpToDate'), 'True Realised');
  });

  it('begins with the volumes of a cluster that never got its first config', () => {
    const world = new ModelWorld(buildCluster());
    world.silent.add('employees-router-1-0');
    for (let round = 0; round < 5; round++) world.reconcile();
    world.silent.clear();
    world.replaceCluster(again());
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.equal(world.changes, 1);
  });
});

describe('planCluster, editing', () => {
  it('makes exactly one change of an edit of the config', () => {
    const world = settled();
    world.editSpec((spec) => ({
      ...spec,
      config: { greeting: { text: 'hello' }, limit: { max: 1 } },
    }));
    settle(world);
    assert.equal(world.changes, 2);
    assert.deepEqual(world.config?.sections['greeting'], { text: 'hello' });
    assert.deepEqual(world.cluster.status?.managedSections, ['greeting', 'limit']);
  });

  it('deletes a section that the Cluster no longer has, and no other', () => {
    const world = settled(buildCluster({ config: { mine: { a: 1 } } }));
    if (world.config !== undefined) {
      const sections = { ...world.config.sections, theirs: { b: 2 } };
      world.config = { ...world.config, sections };
    }
    world.editSpec((spec) => ({ ...spec, config: undefined }));
    settle(world);
    assert.equal(world.config?.sections['mine'], undefined);
    assert.deepEqual(world.config?.sections['theirs'], { b: 2 });
    assert.deepEqual(world.cluster.status?.managedSections, []);
  });

  it('joins the instances of a scale with one change', () => {
    const world = settled();
    world.scale('employees-storage-1', 4);
    settle(world);
    assert.deepEqual(world.joined(), [
      ...ALL.slice(0, 3),
      'employees-storage-1-2',
      'employees-storage-1-3',
      ...ALL.slice(3),
    ]);
    assert.equal(world.changes, 2);
  });

  it('hands leadership over before it expels the last instance', () => {
    const world = settled();
    world.silent.add('employees-storage-1-0');
    world.tick();
    world.silent.clear();
    world.tick();
    world.scale('employees-storage-1', 1);
    const kinds = world.reconcile().actions.map(({ kind }) => kind);
    assert.deepEqual(kinds, ['promote']);
    settle(world);
    assert.deepEqual(
      world.joined(),
      ALL.filter((name) => name !== 'employees-storage-1-1'),
    );
    assert.equal(world.pods.has('employees-storage-1-1'), false);
  });

  it('calls an expulsion off when the number is raised again', () => {
    const world = settled();
    world.scale('employees-storage-1', 1);
    world.reconcile(0);
    world.scale('employees-storage-1', 2);
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.equal(world.changes, 1);
  });

  it('replaces an instance that has lost its disk in one change', () => {
    const world = settled();
    const before = world.disks.get('employees-storage-1-1')?.uuid ?? '';
    world.loseDisk('employees-storage-1-1');
    world.tick();
    settle(world);
    assert.equal(world.changes, 2);
    assert.equal(world.topology().servers[before], 'expelled');
    assert.deepEqual(world.joined(), ALL);
  });

  it('replaces lost instances of a storage one after the other', () => {
    const world = settled();
    world.scale('employees-storage-1', 3);
    settle(world);
    world.loseDisk('employees-storage-1-1');
    world.loseDisk('employees-storage-1-2');
    world.tick();
    settle(world);
    assert.equal(world.changes, 4);
    assert.equal(world.joined().length, ALL.length + 1);
  });

  it('expels nobody while an instance that stays does not answer', () => {
    const world = settled();
    world.scale('employees-storage-1', 3);
    settle(world);
    world.silent.add('employees-storage-1-1');
    world.scale('employees-storage-1', 2);
    for (let round = 0; round < 5; round++) world.reconcile();
    assert.equal(world.joined().includes('employees-storage-1-2'), true);
    assert.equal(condition(world, 'UpToDate'), 'False WaitingForInstances');
    world.silent.clear();
    settle(world);
    assert.deepEqual(world.joined(), ALL);
  });

  it('enforces the replicas of a template, and tells who scaled', () => {
    const world = settled(
      buildCluster({ replicaSets: [{ name: 'router', count: 1, replicas: 2, roles: [] }] }),
    );
    world.scale('employees-router-1', 3);
    const { actions } = world.plan();
    const told = actions.map((action) => (action.kind === 'event' ? action.reason : action.kind));
    assert.deepEqual(told, ['scale', 'ScaleReverted', 'apply']);
    settle(world);
    assert.equal(world.replicaSets.get('employees-router-1')?.spec.replicas, 2);
  });

  it('leaves a number that a user has scaled alone when the template changes', () => {
    const world = settled();
    world.scale('employees-storage-1', 3);
    settle(world);
    world.editSpec((spec) => ({
      ...spec,
      replicaSets: spec.replicaSets.map((template) => ({ ...template, weight: 5 })),
    }));
    settle(world);
    const { replicas, weight } = world.replicaSets.get('employees-storage-1')?.spec ?? {};
    assert.deepEqual({ replicas, weight }, { replicas: 3, weight: 5 });
  });
});

describe('planCluster, removing', () => {
  const withCount = (world: ModelWorld, name: string, count: number): void =>
    world.editSpec((spec) => ({
      ...spec,
      replicaSets: spec.replicaSets.map((template) =>
        template.name === name ? { ...template, count } : template,
      ),
    }));

  it('removes a router that is counted no more', () => {
    const world = settled();
    withCount(world, 'router', 2);
    settle(world);
    withCount(world, 'router', 1);
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.equal(world.replicaSets.has('employees-router-2'), false);
  });

  it('refuses to remove a replica set that owns buckets, and says why', () => {
    const world = settled();
    withCount(world, 'storage', 1);
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.equal(condition(world, 'SpecValid'), 'False OwnsBuckets');
    assert.equal(condition(world, 'Ready'), 'True Serving');
  });

  it('makes a router anew that a user has deleted', () => {
    const world = settled();
    const before = world.replicaSets.get('employees-router-1')?.metadata.uid;
    world.deleteReplicaSet('employees-router-1');
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.notEqual(world.replicaSets.get('employees-router-1')?.metadata.uid, before);
  });

  it('keeps a storage that a user has deleted', () => {
    const world = settled();
    world.deleteReplicaSet('employees-storage-1');
    settle(world);
    assert.deepEqual(world.joined(), ALL);
    assert.equal(condition(world, 'UpToDate'), 'False OwnsBuckets');
  });
});

describe('planCluster, properties', () => {
  type Step =
    | { readonly kind: 'scale'; readonly set: string; readonly replicas: number }
    | { readonly kind: 'routers'; readonly count: number }
    | { readonly kind: 'config'; readonly value: number }
    | { readonly kind: 'lose-disk'; readonly pod: string }
    | { readonly kind: 'silence'; readonly pod: string }
    | { readonly kind: 'wake' }
    | { readonly kind: 'reconcile'; readonly steps: number };

  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('scale' as const),
      set: fc.constantFrom('employees-storage-1', 'employees-storage-2', 'employees-router-1'),
      replicas: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ kind: fc.constant('routers' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('config' as const), value: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant('lose-disk' as const), pod: fc.constantFrom(...ALL) }),
    fc.record({ kind: fc.constant('silence' as const), pod: fc.constantFrom(...ALL) }),
    fc.record({ kind: fc.constant('wake' as const) }),
    fc.record({
      kind: fc.constant('reconcile' as const),
      steps: fc.constantFrom(0, 1, 2, 3, Number.POSITIVE_INFINITY),
    }),
  );

  function take(world: ModelWorld, done: Step): void {
    switch (done.kind) {
      case 'scale':
        return world.scale(done.set, done.replicas);
      case 'routers':
        return world.editSpec((spec) => ({
          ...spec,
          replicaSets: spec.replicaSets.map((template) =>
            template.name === 'router' ? { ...template, count: done.count } : template,
          ),
        }));
      case 'config':
        return world.editSpec((spec) => ({ ...spec, config: { section: { value: done.value } } }));
      case 'lose-disk':
        // One copy at a time, and not the last: rows that nobody has cannot come back.
        if (canLose(world, done.pod)) world.loseDisk(done.pod);
        return world.tick();
      case 'silence':
        if (world.silent.size === 0) world.silent.add(done.pod);
        return world.tick();
      case 'wake':
        world.silent.clear();
        return world.tick();
      case 'reconcile':
        world.reconcile(done.steps);
        return;
      default:
        return done satisfies never;
    }
  }

  function canLose(world: ModelWorld, pod: string): boolean {
    if (!world.pods.has(pod) || world.silent.size > 0) return false;
    const set = pod.replace(/-\d+$/, '');
    const others = world.joined().filter((name) => name.startsWith(set) && name !== pod);
    return others.some((name) => (world.disks.get(name)?.version ?? 0) > 0 && isKnown(world, name));
  }

  function isKnown(world: ModelWorld, pod: string): boolean {
    const server = world.topology().servers[world.disks.get(pod)?.uuid ?? ''];
    return server !== undefined && server !== 'expelled';
  }

  it('reaches what is wanted from wherever it was stopped, and harms nothing on the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const world = settled();
        for (const one of steps) take(world, one);
        world.silent.clear();
        world.tick();
        settle(world);
        const wanted = [...world.replicaSets.values()].flatMap(({ metadata, spec }) =>
          Array.from({ length: spec.replicas }, (_, ordinal) => `${metadata.name}-${ordinal}`),
        );
        assert.deepEqual(world.joined(), wanted.toSorted());
        assert.deepEqual([...world.pods].toSorted(), wanted.toSorted());
        assert.equal(condition(world, 'UpToDate'), 'True Realised');
      }),
      { numRuns: 30 },
    );
  });

  it('bootstraps from any crash', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 30 }), (crashes) => {
        const world = new ModelWorld(buildCluster());
        for (const steps of crashes) world.reconcile(steps);
        settle(world);
        assert.deepEqual(world.joined(), ALL);
        assert.equal(world.changes, 1);
      }),
      { numRuns: 20 },
    );
  });

  it('plans the same whatever the order of what it sees', () => {
    const world = settled();
    world.scale('employees-storage-1', 3);
    world.reconcile();
    const snapshot = world.snapshot();
    const turned = {
      ...snapshot,
      replicaSets: snapshot.replicaSets.toReversed(),
      statefulSets: snapshot.statefulSets.toReversed(),
      services: snapshot.services.toReversed(),
    };
    assert.deepEqual(planCluster(turned).actions, planCluster(snapshot).actions);
  });
});
