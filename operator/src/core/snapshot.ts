/**
 * Everything that one reconcile of a Cluster depends on, read before anything is decided. Values only: the planner
 * that gets it can neither ask again nor find that something has changed meanwhile.
 */
import type { ClusterConfig, InstanceStatus, Json } from '@tonearm/runtime/contract';
import type { PersistentVolumeClaim, Pod, Service, StatefulSet } from '../api/kube-object.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';

/** The provider of clusters that name none, and where the operator finds what it does not run itself. */
export type DefaultStateProvider =
  | { readonly kind: 'ManagedEtcd' }
  | { readonly kind: 'Etcd'; readonly endpoints: readonly string[] }
  | { readonly kind: 'Stateboard'; readonly uri: string; readonly password: string };

export interface OperatorFacts {
  readonly etcdImage: string;
  readonly defaultStateProvider: DefaultStateProvider;
  /** PEM; instances verify the operator's tokens with it. */
  readonly publicKey: string;
  /**
   * Whether ReplicaSets get a finalizer. An operator whose rights live in the namespace that it watches must not use
   * any: deleting the namespace takes its rights first, and the finalizer would hold the namespace for ever.
   */
  readonly guardsReplicaSets: boolean;
}

/** What one pod of a replica set says of itself. */
export interface InstanceFacts {
  readonly podName: string;
  /** The name of the ReplicaSet object. */
  readonly replicaSet: string;
  readonly ordinal: number;
  /** `host:port` of its HTTP server. */
  readonly address: string;
  readonly ready: boolean;
  readonly terminating: boolean;
  /** Where its pod runs; empty before that is decided. */
  readonly node: string;
  /** Wall time of the pod's creation. */
  readonly createdMs: number;
  /** Its answer, or why there is none. An instance of another cluster counts as silent. */
  readonly answer:
    | { readonly kind: 'status'; readonly status: InstanceStatus }
    | { readonly kind: 'silent'; readonly reason: string };
}

/** A role that the application brings, as its instances tell it. */
export interface KnownRole {
  readonly name: string;
  readonly dependencies: readonly string[];
}

/** One entry of `spec.configFrom`, read and parsed. */
export type ConfigSource =
  | {
      readonly kind: 'read';
      readonly name: string;
      readonly sections: Readonly<Record<string, Json>>;
    }
  | { readonly kind: 'unusable'; readonly name: string; readonly reason: string };

export interface CookieSecret {
  readonly hasCookie: boolean;
  /** Concatenated PEM public keys; empty when there are none. */
  readonly operatorKeys: string;
}

export interface ProviderCredentials {
  readonly username: string;
  readonly password: string;
}

/** How the last change ended that this process drove for the cluster; forgotten when the process ends. */
export type LastChange =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'refused';
      /** Identifies the wish: a refused wish is not repeated until it changes. */
      readonly wish: string;
      readonly message: string;
    }
  | { readonly kind: 'aborted'; readonly wish: string; readonly reason: string }
  | { readonly kind: 'undecided'; readonly wish: string; readonly reason: string }
  | { readonly kind: 'committed'; readonly wish: string };

export interface ClusterSnapshot {
  /** Wall time; compared only with creation times, to be patient with young pods. */
  readonly nowMs: number;
  readonly operator: OperatorFacts;
  readonly cluster: Cluster;
  /** Those that name this cluster, and any that has a name which a template would use. */
  readonly replicaSets: readonly ReplicaSet[];
  readonly statefulSets: readonly StatefulSet[];
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
  readonly claims: readonly PersistentVolumeClaim[];
  readonly cookie: CookieSecret | undefined;
  /** Present when the cluster names a Secret with credentials of its provider, and that exists. */
  readonly providerCredentials: ProviderCredentials | undefined;
  readonly configSources: readonly ConfigSource[];
  /** Sorted by replica set and ordinal. */
  readonly instances: readonly InstanceFacts[];
  /** Zones of the nodes that tell one, if the operator may ask them. */
  readonly nodeZones: ReadonlyMap<string, string>;
  /** The newest config that any instance has committed; nothing when none answered with one. */
  readonly config: ClusterConfig | undefined;
  /** Nothing until an instance has told them. */
  readonly roles: readonly KnownRole[] | undefined;
  readonly lastChange: LastChange;
}

/** The status of an instance that answered; nothing for a silent one. */
export function statusOf(instance: InstanceFacts): InstanceStatus | undefined {
  return instance.answer.kind === 'status' ? instance.answer.status : undefined;
}
