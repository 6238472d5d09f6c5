/** Objects as a user writes them and as a server has filled them in, for tests. */

import { type Cluster, clusterSchema } from '../api/v1alpha1/cluster.ts';
import { type ReplicaSet, replicaSetSchema } from '../api/v1alpha1/replica-set.ts';
import type { OperatorFacts } from '../core/snapshot.ts';

export const CLUSTER_UID = '0a000000-0000-4000-8000-000000000001';

export const OPERATOR_FACTS: OperatorFacts = {
  etcdImage: 'etcd:test',
  defaultStateProvider: { kind: 'Stateboard', uri: '127.0.0.1:4401', password: 'secret' },
  publicKey: '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n',
  guardsReplicaSets: true,
};

export interface TemplateWish {
  readonly name: string;
  readonly count?: number;
  readonly initialReplicas?: number;
  readonly replicas?: number;
  readonly roles?: readonly string[];
  readonly weight?: number;
  readonly volume?: { readonly size: string };
}

/** The employees of the tutorial: one router and two storage replica sets of two. */
export const EMPLOYEES: readonly TemplateWish[] = [
  {
    name: 'router',
    count: 1,
    initialReplicas: 1,
    roles: ['app.roles.api', 'failover-coordinator'],
  },
  {
    name: 'storage',
    count: 2,
    initialReplicas: 2,
    roles: ['app.roles.storage'],
    volume: { size: '1Gi' },
  },
];

export function buildCluster(spec: Readonly<Record<string, unknown>> = {}): Cluster {
  return clusterSchema.parse({
    apiVersion: 'tonearm.dev/v1alpha1',
    kind: 'Cluster',
    metadata: {
      name: 'employees',
      namespace: 'data',
      uid: CLUSTER_UID,
      generation: 1,
      resourceVersion: '1',
    },
    spec: { image: 'employees:1', bucketCount: 100, replicaSets: EMPLOYEES, ...spec },
  });
}

export function buildReplicaSetObject(
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
  metadata: Readonly<Record<string, unknown>> = {},
): ReplicaSet {
  return replicaSetSchema.parse({
    apiVersion: 'tonearm.dev/v1alpha1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: 'data',
      uid: '0b000000-0000-4000-8000-000000000001',
      generation: 1,
      ...metadata,
    },
    spec: { clusterName: 'employees', ...spec },
  });
}
