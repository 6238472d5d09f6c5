/** The caches of the controllers, the reflectors that fill them, and the way from an object to the key of its cluster. */
import type { Clock, Logger, Random } from '@tonearm/runtime/foundation';
import { Reflector } from './adapters/reflector.ts';
import { type Indexers, ObjectStore } from './adapters/store.ts';
import type { KubeObject } from './api/kube-object.ts';
import { LABELS } from './api/names.ts';
import { RESOURCES, type Resource } from './api/resources.ts';
import {
  BY_CLUSTER,
  type ClusterCaches,
  keyOfCluster,
  keysByLabel,
  keysOfReplicaSet,
} from './controller/cluster-caches.ts';
import { CombinedCache } from './controller/combined-cache.ts';
import { MANAGED_BY } from './core/resources/labels.ts';
import type { Kube } from './ports/kube.ts';
import type { ObjectCache } from './ports/object-cache.ts';

export interface ClusterWatchesOptions {
  readonly kube: Kube;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type KeysOf<T extends KubeObject> = (object: T) => readonly string[];

export class ClusterWatches {
  readonly caches: ClusterCaches;
  readonly #options: ClusterWatchesOptions;
  readonly #reflectors: Reflector<never>[] = [];

  constructor(options: ClusterWatchesOptions) {
    this.#options = options;
    const ours = `${LABELS.managedBy}=${MANAGED_BY}`;
    this.caches = {
      clusters: this.#add(RESOURCES.clusters, ({ metadata }) => [keyOfCluster(metadata)]),
      // Also those that users write, which carry no label of ours.
      replicaSets: this.#add(RESOURCES.replicaSets, keysOfReplicaSet),
      statefulSets: this.#add(RESOURCES.statefulSets, keysByLabel, ours),
      pods: this.#add(RESOURCES.pods, keysByLabel, ours),
      services: this.#add(RESOURCES.services, keysByLabel, ours),
      claims: this.#add(RESOURCES.claims, keysByLabel, ours),
    };
  }

  hasSynced(): boolean {
    return Object.values(this.caches).every((cache: ObjectCache<never>) => cache.hasSynced());
  }

  /** Calls `listener` with the key of every cluster that something has happened to. */
  subscribe(listener: (key: string) => void): void {
    const { clusters, replicaSets, statefulSets, pods, services, claims } = this.caches;
    clusters.subscribe(({ object }) => listener(keyOfCluster(object.metadata)));
    replicaSets.subscribe(({ object }) => keysOfReplicaSet(object).forEach(listener));
    for (const cache of [statefulSets, pods, services, claims]) {
      cache.subscribe(({ object }) => keysByLabel(object).forEach(listener));
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  #add<T extends KubeObject>(
    resource: Resource<T>,
    keysOf: KeysOf<T>,
    labelSelector?: string,
  ): ObjectCache<T> {
    const { kube, clock, random, logger, namespaces } = this.#options;
    const caches = new Map<string, ObjectCache<T>>();
    for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) {
      const indexers: Indexers<T> = { [BY_CLUSTER]: keysOf };
      const store = new ObjectStore<T>(logger, indexers);
      const scope = { namespace, labelSelector };
      const reflector = new Reflector<T>({ kube, resource, store, scope, clock, random, logger });
      this.#reflectors.push(reflector as unknown as Reflector<never>);
      caches.set(namespace ?? '', store);
    }
    return new CombinedCache(caches);
  }
}
