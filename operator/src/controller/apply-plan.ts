/**
 * Carries a plan out: the status first, because later rounds find in it what was decided; then the actions, one after
 * the other, and none after one that failed.
 */
import type { KubeObject } from '../api/kube-object.ts';
import { FIELD_MANAGERS, FINALIZER } from '../api/names.ts';
import { groupVersion, RESOURCES, type Resource } from '../api/resources.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import { withMemory } from '../core/diff/needs-apply.ts';
import { clusterUuidOf } from '../core/identity.ts';
import type { ClusterPlan } from '../core/plan-cluster.ts';
import { clusterLabels } from '../core/resources/labels.ts';
import { namespaceOf } from '../core/resources/names.ts';
import type { ClusterSnapshot } from '../core/snapshot.ts';
import type { Action } from '../core/verdict.ts';
import type { AdminApi } from '../ports/admin-api.ts';
import type { EventRecorder } from '../ports/events.ts';
import type { Kube } from '../ports/kube.ts';
import type { ObjectCache } from '../ports/object-cache.ts';
import type { ChangeDriver } from './change-driver.ts';
import { type ClusterCaches, keyOfCluster } from './cluster-caches.ts';
import { encodeBase64 } from './secret-data.ts';

export interface PlanApplierOptions {
  readonly kube: Kube;
  readonly caches: ClusterCaches;
  readonly admin: AdminApi;
  readonly driver: ChangeDriver;
  readonly recorder: EventRecorder;
  /** A new secret that cannot be guessed. */
  readonly makeCookie: () => string;
}

type InstanceAction = Extract<
  Action,
  { kind: 'promote' | 'tell-expelled' | 'finish-change' | 'change' }
>;
type ObjectAction = Exclude<Action, InstanceAction>;

export class PlanApplier {
  readonly #options: PlanApplierOptions;

  constructor(options: PlanApplierOptions) {
    this.#options = options;
  }

  async apply(plan: ClusterPlan, snapshot: ClusterSnapshot, signal: AbortSignal): Promise<void> {
    const { caches } = this.#options;
    const { cluster } = snapshot;
    if (plan.status !== undefined) {
      await this.#applyStatus(RESOURCES.clusters, caches.clusters, {
        object: cluster,
        status: plan.status,
      });
    }
    for (const [name, status] of plan.replicaSetStatuses) {
      const object = snapshot.replicaSets.find(({ metadata }) => metadata.name === name);
      if (object === undefined) continue;
      await this.#applyStatus(RESOURCES.replicaSets, caches.replicaSets, { object, status });
    }
    for (const action of plan.actions) {
      signal.throwIfAborted();
      await this.#act(action, snapshot, signal);
    }
  }

  async dropFinalizer(namespace: string, name: string): Promise<void> {
    const found = await this.#options.kube.get(RESOURCES.replicaSets, { namespace, name });
    const finalizers = found?.metadata.finalizers ?? [];
    if (!finalizers.includes(FINALIZER)) return;
    await this.#setFinalizers(
      { namespace, name, resourceVersion: found?.metadata.resourceVersion },
      finalizers.filter((one) => one !== FINALIZER),
    );
  }

  async #act(action: Action, snapshot: ClusterSnapshot, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'promote':
      case 'tell-expelled':
      case 'finish-change':
      case 'change':
        await this.#askInstances(action, snapshot, signal);
        return;
      default:
        await this.#writeObject(action, snapshot);
    }
  }

  async #askInstances(
    action: InstanceAction,
    snapshot: ClusterSnapshot,
    signal: AbortSignal,
  ): Promise<void> {
    const { admin, driver } = this.#options;
    const { cluster, config } = snapshot;
    const clusterUuid = clusterUuidOf(snapshot);
    switch (action.kind) {
      case 'promote': {
        const { address, replicaSetUuid, to } = action;
        return admin.promote({ address, clusterUuid }, { replicaSetUuid, to });
      }
      case 'tell-expelled':
        if (config === undefined) return;
        return admin.expelled({ address: action.address, clusterUuid }, config);
      case 'finish-change': {
        const targets = action.addresses.map((address) => ({ address, clusterUuid }));
        return driver.finish(targets, action.changeId);
      }
      case 'change': {
        const key = keyOfCluster(cluster.metadata);
        const roles = snapshot.roles ?? [];
        await driver.drive({ key, clusterUuid, active: config, roles, action }, signal);
        return;
      }
      default:
        return action satisfies never;
    }
  }

  async #writeObject(action: ObjectAction, snapshot: ClusterSnapshot): Promise<void> {
    const { kube } = this.#options;
    const namespace = namespaceOf(snapshot.cluster);
    switch (action.kind) {
      case 'apply':
        return this.#applyObject(action);
      case 'create-cookie':
        return this.#createCookie(snapshot.cluster, action);
      case 'publish-operator-key':
        return this.#publishKey(namespace, action);
      case 'scale': {
        const name = { namespace, name: action.replicaSet };
        return kube.scale(RESOURCES.replicaSets, name, action.replicas);
      }
      case 'delete-replica-set': {
        const preconditions = { uid: action.uid };
        const options = { preconditions, propagation: 'Background' } as const;
        await kube.delete(RESOURCES.replicaSets, { namespace, name: action.name }, options);
        return;
      }
      case 'add-finalizer':
        return this.#addFinalizer(namespace, action.name);
      case 'drop-finalizer':
        return this.dropFinalizer(namespace, action.name);
      case 'event':
        this.#record(action, snapshot);
        return;
      default:
        return action satisfies never;
    }
  }

  async #applyObject({ resource, intent }: Extract<Action, { kind: 'apply' }>): Promise<void> {
    const { caches } = this.#options;
    const applied = withMemory(intent);
    switch (resource) {
      case 'replicaSets':
        return this.#applyTo(RESOURCES.replicaSets, caches.replicaSets, applied);
      case 'statefulSets':
        return this.#applyTo(RESOURCES.statefulSets, caches.statefulSets, applied);
      case 'services':
        return this.#applyTo(RESOURCES.services, caches.services, applied);
      default:
        return resource satisfies never;
    }
  }

  async #applyTo<T extends KubeObject>(
    resource: Resource<T>,
    cache: ObjectCache<T>,
    intent: Parameters<Kube['apply']>[1],
  ): Promise<void> {
    const options = { fieldManager: FIELD_MANAGERS.spec, force: true };
    cache.offer(await this.#options.kube.apply(resource, intent, options));
  }

  async #applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    cache: ObjectCache<T>,
    { object, status }: { readonly object: KubeObject; readonly status: unknown },
  ): Promise<void> {
    const intent = {
      apiVersion: groupVersion(resource),
      kind: resource.kind,
      // The UID: a status must never reach another object that has taken the name meanwhile.
      metadata: {
        name: object.metadata.name,
        namespace: namespaceOf(object),
        uid: object.metadata.uid,
      },
      status,
    };
    const options = { fieldManager: FIELD_MANAGERS.status, force: true };
    cache.offer(await this.#options.kube.applyStatus(resource, intent, options));
  }

  /** Without an owner: it must outlive the Cluster as long as the claims do. */
  async #createCookie(
    cluster: Cluster,
    { name, keys }: Extract<Action, { kind: 'create-cookie' }>,
  ): Promise<void> {
    const { kube, makeCookie } = this.#options;
    const labels = clusterLabels(cluster.metadata.name, 'cluster');
    await kube.create(RESOURCES.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: namespaceOf(cluster), labels },
      type: 'Opaque',
      data: { cookie: encodeBase64(makeCookie()), 'operator-keys': encodeBase64(keys) },
    });
  }

  async #publishKey(
    namespace: string,
    { name, keys }: Extract<Action, { kind: 'publish-operator-key' }>,
  ): Promise<void> {
    const body = { data: { 'operator-keys': encodeBase64(keys) } };
    await this.#options.kube.patch(
      RESOURCES.secrets,
      { namespace, name },
      { patch: { kind: 'merge', body }, options: { fieldManager: FIELD_MANAGERS.spec } },
    );
  }

  async #addFinalizer(namespace: string, name: string): Promise<void> {
    const found = await this.#options.kube.get(RESOURCES.replicaSets, { namespace, name });
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
    const finalizers = [...(found.metadata.finalizers ?? []), FINALIZER];
    const { resourceVersion } = found.metadata;
    await this.#setFinalizers({ namespace, name, resourceVersion }, finalizers);
  }

  /** A list is replaced as a whole, so only if it is still the one that was read. */
  async #setFinalizers(
    target: {
      readonly namespace: string;
      readonly name: string;
      readonly resourceVersion: string | undefined;
    },
    finalizers: readonly string[],
  ): Promise<void> {
    const { kube } = this.#options;
    const { namespace, name, resourceVersion } = target;
    const body = { metadata: { resourceVersion, finalizers } };
    await kube.patch(
      RESOURCES.replicaSets,
      { namespace, name },
      { patch: { kind: 'merge', body }, options: { fieldManager: FIELD_MANAGERS.spec } },
    );
  }

  #record(event: Extract<Action, { kind: 'event' }>, snapshot: ClusterSnapshot): void {
    const { regarding, type, reason, action, note } = event;
    const object: KubeObject | undefined =
      regarding.kind === 'Cluster'
        ? snapshot.cluster
        : snapshot.replicaSets.find(({ metadata }) => metadata.name === regarding.name);
    if (object === undefined) return;
    const { apiVersion, kind } = object;
    const { name, namespace, uid } = object.metadata;
    this.#options.recorder.record({
      regarding: { apiVersion, kind, name, namespace, uid },
      type,
      reason,
      action,
      note,
    });
  }
}
