/**
 * Which state provider a cluster uses, and how its instances reach it.
 *
 * The kind is recorded in the status when the cluster is first seen: an operator whose default changes later must not
 * take the memory of leadership away from a cluster that runs.
 */
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import type { ClusterStatus } from '../api/v1alpha1/cluster.ts';
import { clusterUuidOf } from './identity.ts';
import { etcdEndpoints } from './resources/build-etcd.ts';
import { etcdName, namespaceOf } from './resources/names.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { Reason } from './verdict.ts';

export type ProviderKind = NonNullable<ClusterStatus['stateProvider']>;

export type WantedProvider =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'usable';
      readonly provider: ProviderKind;
      readonly config: StateProviderConfig;
      /** Of the etcd that the operator runs itself. */
      readonly managedReplicas?: number;
    }
  | ({ readonly kind: 'unusable' } & Reason);

export function wantedProvider(snapshot: ClusterSnapshot): WantedProvider {
  const { failover } = snapshot.cluster.spec;
  if (failover.mode !== 'Stateful') return { kind: 'none' };
  const named = failover.stateProvider;
  if (named?.stateboard !== undefined) return stateboard(snapshot);
  const etcd = named?.etcd;
  if (etcd?.managed !== undefined) return managedEtcd(snapshot, etcd.managed.replicas);
  if (etcd?.endpoints !== undefined) return externalEtcd(snapshot, etcd.endpoints);
  return defaultProvider(snapshot);
}

/** Why the etcd that the operator runs cannot be used yet; nothing when it can, or when there is none. */
export function explainManagedEtcd(snapshot: ClusterSnapshot): Reason | undefined {
  const provider = wantedProvider(snapshot);
  if (provider.kind !== 'usable' || provider.managedReplicas === undefined) return undefined;
  const { name } = snapshot.cluster.metadata;
  const found = snapshot.statefulSets.find((set) => set.metadata.name === etcdName(name));
  const ready = found?.status?.readyReplicas ?? 0;
  if (ready > provider.managedReplicas / 2) return undefined;
  return {
    reason: 'WaitingForEtcd',
    message: `${ready} of ${provider.managedReplicas} etcd of StatefulSet ${etcdName(name)} are ready: kubectl describe pods -l tonearm.dev/cluster=${name},app.kubernetes.io/component=etcd tells why.`,
  };
}

function defaultProvider(snapshot: ClusterSnapshot): WantedProvider {
  const offered = snapshot.operator.defaultStateProvider;
  const kind = snapshot.cluster.status?.stateProvider ?? offered.kind;
  switch (kind) {
    case 'ManagedEtcd':
      return managedEtcd(snapshot, 1);
    case 'Stateboard':
      return stateboard(snapshot);
    case 'Etcd':
      return offered.kind === 'Etcd'
        ? externalEtcd(snapshot, offered.endpoints)
        : unusable(
            'ProviderMissing',
            'The cluster began with the etcd that was the default of its operator, and this operator has none: name it in spec.failover.stateProvider.etcd.endpoints.',
          );
    default:
      return kind satisfies never;
  }
}

function managedEtcd(snapshot: ClusterSnapshot, replicas: number): WantedProvider {
  return {
    kind: 'usable',
    provider: 'ManagedEtcd',
    managedReplicas: replicas,
    config: {
      kind: 'etcd',
      endpoints: [...etcdEndpoints(snapshot.cluster, replicas)],
      prefix: prefixOf(snapshot),
    },
  };
}

function externalEtcd(snapshot: ClusterSnapshot, endpoints: readonly string[]): WantedProvider {
  const etcd = snapshot.cluster.spec.failover.stateProvider?.etcd;
  if (etcd?.tlsSecretName !== undefined) {
    return unusable(
      'EtcdTlsUnsupported',
      'spec.failover.stateProvider.etcd.tlsSecretName is not supported yet: use endpoints with http://, or etcd.managed.',
    );
  }
  const secret = etcd?.credentialsSecretName;
  const credentials = snapshot.providerCredentials;
  if (secret !== undefined && credentials === undefined) {
    return unusable(
      'CredentialsMissing',
      `Secret ${secret} with the keys username and password does not exist: create it.`,
    );
  }
  return {
    kind: 'usable',
    provider: 'Etcd',
    config: { kind: 'etcd', endpoints: [...endpoints], prefix: prefixOf(snapshot), ...credentials },
  };
}

function stateboard(snapshot: ClusterSnapshot): WantedProvider {
  const offered = snapshot.operator.defaultStateProvider;
  if (offered.kind !== 'Stateboard') {
    return unusable(
      'StateboardMissing',
      'This operator runs no stateboard; it is for development with "tonearm up". Use spec.failover.stateProvider.etcd.managed.',
    );
  }
  const { uri, password } = offered;
  return {
    kind: 'usable',
    provider: 'Stateboard',
    config: { kind: 'stateboard', uri, password, prefix: prefixOf(snapshot) },
  };
}

/**
 * With the cluster's UUID: a cluster that is made anew under an old name never reads the old one's leadership. It ends
 * with a slash, because instances put their keys right behind it.
 */
function prefixOf(snapshot: ClusterSnapshot): string {
  const { metadata, spec } = snapshot.cluster;
  const own = spec.failover.stateProvider?.etcd?.prefix ?? '/tonearm';
  const uuid = clusterUuidOf(snapshot);
  return `${own.replace(/\/+$/, '')}/${namespaceOf(snapshot.cluster)}/${metadata.name}/${uuid}/`;
}

function unusable(reason: string, message: string): WantedProvider {
  return { kind: 'unusable', reason, message };
}
