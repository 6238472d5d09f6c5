/**
 * Reads everything that a reconcile of one cluster depends on.
 *
 * Caches may be old. Where an old view would do harm, the server itself is asked: a Cluster without a recorded identity
 * and its claims, because identities are chosen from them; and names that no object of ours has, because somebody
 * else's may.
 */
import type { Clock } from '@tonearm/runtime/foundation';
import type { KubeObject, StatefulSet } from '../api/kube-object.ts';
import { LABELS } from '../api/names.ts';
import { RESOURCES, type Resource } from '../api/resources.ts';
import { type Cluster, clusterSchema } from '../api/v1alpha1/cluster.ts';
import { type ReplicaSet, replicaSetSchema } from '../api/v1alpha1/replica-set.ts';
import { clusterUuidOf } from '../core/identity.ts';
import { buildServices } from '../core/resources/build-services.ts';
import { etcdName } from '../core/resources/names.ts';
import type { ClusterSnapshot, LastChange, OperatorFacts } from '../core/snapshot.ts';
import { wantedTemplated } from '../core/wanted-sets.ts';
import type { AdminApi } from '../ports/admin-api.ts';
import type { Kube } from '../ports/kube.ts';
import type { ObjectCache } from '../ports/object-cache.ts';
import type { SectionParser } from '../ports/section-parser.ts';
import { BY_CLUSTER, type ClusterCaches, keyOfCluster, parseKey } from './cluster-caches.ts';
import { ConfigSourceReader } from './config-sources.ts';
import type { NodeZones } from './node-zones.ts';
import { InstanceObserver } from './observe-instances.ts';

export interface ClusterObserverOptions {
  readonly kube: Kube;
  readonly caches: ClusterCaches;
  readonly admin: AdminApi;
  readonly parser: SectionParser;
  readonly clock: Clock;
  readonly operator: OperatorFacts;
  /** Left out: nodes are not asked. */
  readonly nodeZones?: NodeZones | undefined;
}

export type Observed =
  | { readonly kind: 'snapshot'; readonly snapshot: ClusterSnapshot }
  /** Deleted, or on its way; what is left of it may have to be let go. */
  | { readonly kind: 'gone' }
  /** It was stored under another schema than this operator's. */
  | { readonly kind: 'invalid'; readonly cluster: Cluster; readonly reason: string };

export class ClusterObserver {
  readonly #options: ClusterObserverOptions;
  readonly #instances: InstanceObserver;
  readonly #sources: ConfigSourceReader;

  constructor(options: ClusterObserverOptions) {
    this.#options = options;
    this.#instances = new InstanceObserver(options.admin);
    this.#sources = new ConfigSourceReader(options.kube, options.parser);
  }

  async observe(key: string, lastChange: LastChange): Promise<Observed> {
    const found = await this.#cluster(key);
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) {
      return { kind: 'gone' };
    }
    const parsed = clusterSchema.safeParse(found);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const reason = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
      return { kind: 'invalid', cluster: found, reason };
    }
    return { kind: 'snapshot', snapshot: await this.#snapshot(parsed.data, lastChange) };
  }

  async #snapshot(cluster: Cluster, lastChange: LastChange): Promise<ClusterSnapshot> {
    const { caches, clock, operator, nodeZones } = this.#options;
    const key = keyOfCluster(cluster.metadata);
    const { namespace } = parseKey(key);
    const claims = await this.#claims(cluster, key);
    const pods = caches.pods.byIndex(BY_CLUSTER, key);
    const clusterUuid = clusterUuidOf({ cluster, claims });
    const objects = await this.#objects(cluster, key);
    const cookie = await this.#sources.readCookie(cluster, namespace);
    const view = await this.#instances.observe(pods, clusterUuid);
    const nodes = view.instances.map(({ node }) => node);
    return {
      nowMs: clock.wallTime().getTime(),
      operator,
      cluster,
      ...objects,
      pods,
      claims,
      cookie,
      providerCredentials: await this.#sources.readCredentials(cluster, namespace),
      configSources: await this.#sources.readSections(cluster, namespace),
      ...view,
      nodeZones: (await nodeZones?.of(nodes)) ?? new Map<string, string>(),
      lastChange,
    };
  }

  async #cluster(key: string): Promise<Cluster | undefined> {
    const { caches, kube } = this.#options;
    const known = caches.clusters.get(parseKey(key));
    if (known?.status?.uuid !== undefined) return known;
    return kube.get(RESOURCES.clusters, parseKey(key));
  }

  async #claims(cluster: Cluster, key: string): Promise<ClusterSnapshot['claims']> {
    const { caches, kube } = this.#options;
    if (cluster.status?.uuid !== undefined) return caches.claims.byIndex(BY_CLUSTER, key);
    const { namespace, name } = parseKey(key);
    const labelSelector = `${LABELS.cluster}=${name}`;
    const { items } = await kube.list(RESOURCES.claims, { namespace, labelSelector });
    return items;
  }

  async #objects(
    cluster: Cluster,
    key: string,
  ): Promise<Pick<ClusterSnapshot, 'replicaSets' | 'statefulSets' | 'services'>> {
    const { caches } = this.#options;
    const etcd = etcdName(cluster.metadata.name);
    const templated = wantedTemplated({ cluster }).map(({ name }) => name);
    const replicaSets = await this.#withNames(RESOURCES.replicaSets, caches.replicaSets, {
      key,
      names: templated,
    });
    const statefulSets = await this.#withNames<StatefulSet>(
      RESOURCES.statefulSets,
      caches.statefulSets,
      { key, names: [etcd, ...replicaSets.map(({ metadata }) => metadata.name)] },
    );
    const services = await this.#withNames(RESOURCES.services, caches.services, {
      key,
      names: [etcd, ...buildServices(cluster).map(({ metadata }) => metadata.name)],
    });
    return { replicaSets: replicaSets.map(withDefaults), statefulSets, services };
  }

  /** Objects of the cluster, and whatever has one of the names. */
  async #withNames<T extends KubeObject>(
    resource: Resource<T>,
    cache: ObjectCache<T>,
    wanted: { readonly key: string; readonly names: readonly string[] },
  ): Promise<readonly T[]> {
    const { kube } = this.#options;
    const { namespace } = parseKey(wanted.key);
    const ours = cache.byIndex(BY_CLUSTER, wanted.key);
    const known = new Set(ours.map(({ metadata }) => metadata.name));
    const found: T[] = [...ours];
    for (const name of wanted.names.filter((one) => !known.has(one))) {
      const object = await kube.get(resource, { name, namespace });
      if (object !== undefined) found.push(object);
    }
    return found;
  }
}

/** A server fills in defaults when it stores an object, but not in objects that it has stored before. */
function withDefaults(replicaSet: ReplicaSet): ReplicaSet {
  const parsed = replicaSetSchema.safeParse(replicaSet);
  return parsed.success ? parsed.data : replicaSet;
}
