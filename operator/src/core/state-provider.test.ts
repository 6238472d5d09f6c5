import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCluster, CLUSTER_UID, OPERATOR_FACTS } from '../testing/cluster-objects.ts';
import { ModelWorld } from '../testing/model-world.ts';
import type { ClusterSnapshot, DefaultStateProvider } from './snapshot.ts';
import { explainManagedEtcd, wantedProvider } from './state-provider.ts';

const PREFIX = `/tonearm/data/employees/${CLUSTER_UID}/`;
const BOARD = { uri: '127.0.0.1:4401', password: 'secret' };

interface ProviderCase {
  readonly name: string;
  readonly failover?: Readonly<Record<string, unknown>>;
  readonly offered?: DefaultStateProvider;
  readonly recorded?: DefaultStateProvider['kind'];
  readonly edit?: Partial<ClusterSnapshot>;
  readonly want: unknown;
}

function snapshotOf({ failover = {}, offered, recorded, edit }: ProviderCase): ClusterSnapshot {
  const cluster = buildCluster({ failover });
  const status = recorded === undefined ? undefined : { stateProvider: recorded };
  return {
    ...new ModelWorld({ ...cluster, ...(status === undefined ? {} : { status }) }).snapshot(),
    operator: { ...OPERATOR_FACTS, ...(offered && { defaultStateProvider: offered }) },
    ...edit,
  };
}

function managed(replicas: number): unknown {
  const endpoints = Array.from(
    { length: replicas },
    (_, ordinal) => `http://employees-etcd-${ordinal}.employees-etcd.data.svc:2379`,
  );
  const config = { kind: 'etcd', endpoints, prefix: PREFIX };
  return { kind: 'usable', provider: 'ManagedEtcd', managedReplicas: replicas, config };
}

describe('wantedProvider', () => {
  const cases: readonly ProviderCase[] = [
    { name: 'is none without failover', failover: { mode: 'Disabled' }, want: { kind: 'none' } },
    {
      name: 'is the default of the operator',
      want: {
        kind: 'usable',
        provider: 'Stateboard',
        config: { kind: 'stateboard', ...BOARD, prefix: PREFIX },
      },
    },
    {
      name: 'is one etcd of the operator’s own',
      offered: { kind: 'ManagedEtcd' },
      want: managed(1),
    },
    {
      name: 'is an etcd that the operator was given',
      offered: { kind: 'Etcd', endpoints: ['http://e:2379'] },
      want: {
        kind: 'usable',
        provider: 'Etcd',
        config: { kind: 'etcd', endpoints: ['http://e:2379'], prefix: PREFIX },
      },
    },
    {
      name: 'is what the cluster names, whatever the default',
      failover: { stateProvider: { etcd: { managed: { replicas: 3 } } } },
      want: managed(3),
    },
    {
      name: 'is an own etcd, below an own prefix, with credentials',
      failover: {
        stateProvider: {
          etcd: {
            endpoints: ['http://own:2379'],
            prefix: '/mine/',
            credentialsSecretName: 'etcd-user',
          },
        },
      },
      edit: { providerCredentials: { username: 'u', password: 'p' } },
      want: {
        kind: 'usable',
        provider: 'Etcd',
        config: {
          kind: 'etcd',
          endpoints: ['http://own:2379'],
          prefix: `/mine/data/employees/${CLUSTER_UID}/`,
          username: 'u',
          password: 'p',
        },
      },
    },
    {
      name: 'stays what it was when the default of the operator changes',
      recorded: 'ManagedEtcd',
      want: managed(1),
    },
    {
      name: 'is unusable when its etcd was that of another operator',
      recorded: 'Etcd',
      want: {
        kind: 'unusable',
        reason: 'ProviderMissing',
        message:
          'The cluster began with the etcd that was the default of its operator, and this operator has none: name it in spec.failover.stateProvider.etcd.endpoints.',
      },
    },
    {
      name: 'is unusable as a stateboard that the operator does not run',
      failover: { stateProvider: { stateboard: {} } },
      offered: { kind: 'ManagedEtcd' },
      want: {
        kind: 'unusable',
        reason: 'StateboardMissing',
        message:
          'This operator runs no stateboard; it is for development with "tonearm up". Use spec.failover.stateProvider.etcd.managed.',
      },
    },
  ];

  for (const one of cases) {
    it(one.name, () => assert.deepEqual(wantedProvider(snapshotOf(one)), one.want));
  }
});

describe('explainManagedEtcd', () => {
  it('says nothing of a provider that the operator does not run', () => {
    assert.equal(explainManagedEtcd(snapshotOf({ name: '', want: undefined })), undefined);
  });

  it('waits for a majority', () => {
    const failover = { stateProvider: { etcd: { managed: { replicas: 3 } } } };
    const explained = [0, 1, 2, 3].map((readyReplicas) => {
      const snapshot = snapshotOf({ name: '', failover, want: undefined });
      const etcd = {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'employees-etcd', namespace: 'data' },
        spec: {},
        status: { readyReplicas },
      } as never;
      return explainManagedEtcd({ ...snapshot, statefulSets: [etcd] })?.message.slice(0, 12);
    });
    assert.deepEqual(explained, ['0 of 3 etcd ', '1 of 3 etcd ', undefined, undefined]);
  });
});
