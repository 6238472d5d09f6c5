import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject, PersistentVolumeClaim } from '../../api/kube-object.ts';
import type { Cluster } from '../../api/v1alpha1/cluster.ts';
import { buildCluster, buildReplicaSetObject } from '../../testing/cluster-objects.ts';
import { ModelWorld } from '../../testing/model-world.ts';
import { planCluster } from '../plan-cluster.ts';
import type { ClusterSnapshot } from '../snapshot.ts';

interface RefusalCase {
  readonly name: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly edit?: (snapshot: ClusterSnapshot) => ClusterSnapshot;
  readonly want: string;
}

const OLD_UUID = '0e000000-0000-4000-8000-000000000001';

function claim(name: string, uuid: string): PersistentVolumeClaim {
  const labels = {
    'tonearm.dev/cluster': 'employees',
    'tonearm.dev/cluster-uuid': uuid,
    'tonearm.dev/replica-set': 'employees-storage-1',
  };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'data', labels },
    spec: {},
  };
}

function foreign(kind: string, name: string): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'data', uid: 'foreign' } };
}

const cases: readonly RefusalCase[] = [
  {
    name: 'fencing without a lease',
    spec: { failover: { fencing: { mode: 'None' } } },
    want: 'FencingModeUnsupported',
  },
  {
    name: 'a lease without a state provider',
    spec: { failover: { mode: 'Disabled', fencing: { mode: 'Lease' } } },
    want: 'FencingModeUnsupported',
  },
  {
    name: 'fencing by connectivity where nobody is elected',
    spec: {
      failover: {
        mode: 'Disabled',
        failoverTimeoutSeconds: 20,
        fencing: { mode: 'Connectivity' },
      },
    },
    want: 'FencingModeUnsupported',
  },
  {
    name: 'etcd with certificates',
    spec: {
      failover: { stateProvider: { etcd: { endpoints: ['http://e:2379'], tlsSecretName: 't' } } },
    },
    want: 'EtcdTlsUnsupported',
  },
  {
    name: 'credentials that nobody has made',
    spec: {
      failover: {
        stateProvider: { etcd: { endpoints: ['http://e:2379'], credentialsSecretName: 'c' } },
      },
    },
    want: 'CredentialsMissing',
  },
  {
    name: 'claims of an earlier cluster under a new one',
    spec: { bootstrap: { mode: 'New' } },
    edit: (snapshot) => ({ ...snapshot, claims: [claim('data-a', OLD_UUID)] }),
    want: 'ClaimsExist',
  },
  {
    name: 'claims of two earlier clusters',
    edit: (snapshot) => ({
      ...snapshot,
      claims: [claim('data-a', OLD_UUID), claim('data-b', '0e000000-0000-4000-8000-000000000002')],
    }),
    want: 'ClaimsAmbiguous',
  },
  {
    name: 'a Service that somebody else has made',
    edit: (snapshot) => ({
      ...snapshot,
      services: [foreign('Service', 'employees-admin') as never],
    }),
    want: 'NameTaken',
  },
  {
    name: 'a ReplicaSet of a user under the name of a templated one',
    edit: (snapshot) => ({
      ...snapshot,
      replicaSets: [buildReplicaSetObject('employees-storage-1')],
    }),
    want: 'NameTaken',
  },
  {
    name: 'a Secret of a user without a cookie',
    edit: (snapshot) => ({ ...snapshot, cookie: { hasCookie: false, operatorKeys: '' } }),
    want: 'CookieMissing',
  },
];

describe('planCluster, refusing', () => {
  for (const { name, spec, edit = (snapshot: ClusterSnapshot) => snapshot, want } of cases) {
    it(`refuses ${name}, and does nothing`, () => {
      const { actions, status } = planCluster(edit(new ModelWorld(buildCluster(spec)).snapshot()));
      assert.deepEqual(actions, []);
      const valid = status?.conditions?.find(({ type }) => type === 'SpecValid');
      assert.deepEqual([valid?.status, valid?.reason], ['False', want]);
      assert.equal(status?.uuid, undefined);
    });
  }

  const later: readonly (RefusalCase & {
    readonly edited: (spec: Cluster['spec']) => Cluster['spec'];
  })[] = [
    {
      name: 'another failover mode',
      edited: (spec) => ({ ...spec, failover: { ...spec.failover, mode: 'Disabled' } }),
      want: 'FailoverModeChangeUnsupported',
    },
    {
      name: 'another state provider',
      edited: (spec) => ({
        ...spec,
        failover: {
          ...spec.failover,
          stateProvider: { etcd: { endpoints: ['http://other:2379'] } },
        },
      }),
      want: 'ProviderChangeUnsupported',
    },
    {
      name: 'a section of the system under its file name',
      edited: (spec) => ({ ...spec, config: { 'topology.yml': {} } }),
      want: 'SectionReserved',
    },
    {
      name: 'another number of buckets over old data',
      edited: (spec) => ({ ...spec, bucketCount: 7 }),
      want: 'BucketCountFixed',
    },
  ];

  for (const { name, edited, want } of later) {
    it(`refuses ${name} once the cluster is bootstrapped, and changes nothing`, () => {
      const world = new ModelWorld(buildCluster());
      for (let round = 0; round < 20; round++) world.reconcile();
      world.editSpec(edited);
      const plan = world.reconcile();
      assert.deepEqual(plan.actions, []);
      const conditions = world.cluster.status?.conditions ?? [];
      const told = conditions
        .filter(({ type }) => ['SpecValid', 'Ready'].includes(type))
        .map(({ type, status, reason }) => `${type} ${status} ${reason}`);
      assert.deepEqual(told, ['Ready True Serving', `SpecValid False ${want}`]);
    });
  }

  it('takes over the identity that the claims of an earlier cluster carry', () => {
    const snapshot = new ModelWorld(buildCluster()).snapshot();
    const { status } = planCluster({ ...snapshot, claims: [claim('data-a', OLD_UUID)] });
    assert.equal(status?.uuid, OLD_UUID);
  });

  it('repeats no config that was refused until it changes', () => {
    const world = new ModelWorld(buildCluster());
    for (let round = 0; round < 20; round++) world.reconcile();
    world.editSpec((spec) => ({ ...spec, config: { section: { bad: true } } }));
    const change = world.plan().actions.find((action) => action.kind === 'change');
    assert.ok(change?.kind === 'change');
    const lastChange = { kind: 'refused', wish: change.wish, message: 'bad is bad.' } as const;
    const refused = planCluster({ ...world.snapshot(), lastChange });
    assert.deepEqual(refused.actions, []);
    const valid = refused.status?.conditions?.find(({ type }) => type === 'SpecValid');
    assert.equal(valid?.message, 'The config was refused, and nothing was changed: bad is bad.');
    world.editSpec((spec) => ({ ...spec, config: { section: { bad: false } } }));
    const again = planCluster({ ...world.snapshot(), lastChange });
    assert.deepEqual(
      again.actions.map(({ kind }) => kind),
      ['change'],
    );
  });
});
