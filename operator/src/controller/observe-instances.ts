/** Asks every instance of a cluster for its status, and one of those with the newest config for that config. */
import type { ClusterConfig } from '@tonearm/runtime/contract';
import type { Pod } from '../api/kube-object.ts';
import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { ordinalOf, PORTS } from '../core/resources/names.ts';
import { type InstanceFacts, type KnownRole, statusOf } from '../core/snapshot.ts';
import { isPodReady } from '../core/status/replica-set-facts.ts';
import { type AdminApi, AdminApiError } from '../ports/admin-api.ts';
import { mapBounded } from './bounded.ts';

/** Enough to be quick, few enough to leave the operator's other clusters some sockets. */
const CALLS_MAX = 8;

export interface InstancesView {
  readonly instances: readonly InstanceFacts[];
  readonly config: ClusterConfig | undefined;
  readonly roles: readonly KnownRole[] | undefined;
}

export class InstanceObserver {
  readonly #admin: AdminApi;
  /** Cluster UUID → its newest config that was read: it is large, and seldom new. */
  readonly #configs = new Map<string, ClusterConfig>();

  constructor(admin: AdminApi) {
    this.#admin = admin;
  }

  async observe(pods: readonly Pod[], clusterUuid: string): Promise<InstancesView> {
    const sorted = pods.filter(isInstance).toSorted(byPlace);
    const instances = await mapBounded(sorted, CALLS_MAX, (pod) => this.#ask(pod, clusterUuid));
    return {
      instances,
      config: await this.#newestConfig(instances, clusterUuid),
      roles: await this.#roles(instances, clusterUuid),
    };
  }

  forget(clusterUuid: string): void {
    this.#configs.delete(clusterUuid);
  }

  async #ask(pod: Pod, clusterUuid: string): Promise<InstanceFacts> {
    const address = addressOf(pod);
    return {
      podName: pod.metadata.name,
      replicaSet: pod.metadata.labels?.[LABELS.replicaSet] ?? '',
      ordinal: ordinalOf(pod.metadata.name) ?? 0,
      address,
      ready: isPodReady(pod),
      terminating: pod.metadata.deletionTimestamp !== undefined,
      node: pod.spec.nodeName ?? '',
      createdMs: Date.parse(pod.metadata.creationTimestamp ?? '') || 0,
      answer: await this.#status(pod, { address, clusterUuid }),
    };
  }

  async #status(
    pod: Pod,
    target: { readonly address: string; readonly clusterUuid: string },
  ): Promise<InstanceFacts['answer']> {
    const phase = pod.status?.phase ?? 'Pending';
    if (phase !== 'Running') return { kind: 'silent', reason: `its pod is ${phase}` };
    try {
      const status = await this.#admin.status(target);
      if (status.clusterUuid !== target.clusterUuid) {
        return { kind: 'silent', reason: `it belongs to cluster ${status.clusterUuid}` };
      }
      // Another process on an address that was this pod's a moment ago.
      if (status.name !== pod.metadata.name) {
        return { kind: 'silent', reason: `${status.name} answers in its place` };
      }
      return { kind: 'status', status };
    } catch (error) {
      if (!(error instanceof AdminApiError)) throw error;
      return { kind: 'silent', reason: error.code === 'UNREACHABLE' ? 'no answer' : error.message };
    }
  }

  async #newestConfig(
    instances: readonly InstanceFacts[],
    clusterUuid: string,
  ): Promise<ClusterConfig | undefined> {
    const byAge = instances
      .filter((instance) => (statusOf(instance)?.config.version ?? 0) > 0)
      .toSorted((a, b) => versionOf(b) - versionOf(a));
    const [newest] = byAge;
    if (newest === undefined) return undefined;
    const has = statusOf(newest)?.config;
    const known = this.#configs.get(clusterUuid);
    if (known?.meta.checksum === has?.checksum && known?.meta.version === has?.version) {
      return known;
    }
    for (const { address } of byAge.filter((one) => versionOf(one) === versionOf(newest))) {
      const config = await this.#try(() => this.#admin.config({ address, clusterUuid }));
      if (config === undefined) continue;
      this.#configs.set(clusterUuid, config);
      return config;
    }
    return undefined;
  }

  async #roles(
    instances: readonly InstanceFacts[],
    clusterUuid: string,
  ): Promise<readonly KnownRole[] | undefined> {
    for (const instance of instances) {
      if (statusOf(instance) === undefined) continue;
      const target = { address: instance.address, clusterUuid };
      const roles = await this.#try(() => this.#admin.roles(target));
      if (roles !== undefined) return roles;
    }
    return undefined;
  }

  async #try<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      // Another instance knows it as well.
      if (error instanceof AdminApiError) return undefined;
      throw error;
    }
  }
}

function isInstance(pod: Pod): boolean {
  const labels = pod.metadata.labels ?? {};
  return labels[LABELS.component] === 'instance' && labels[LABELS.replicaSet] !== undefined;
}

function byPlace(a: Pod, b: Pod): number {
  const setA = a.metadata.labels?.[LABELS.replicaSet] ?? '';
  const setB = b.metadata.labels?.[LABELS.replicaSet] ?? '';
  if (setA !== setB) return setA < setB ? -1 : 1;
  return (ordinalOf(a.metadata.name) ?? 0) - (ordinalOf(b.metadata.name) ?? 0);
}

/** Where pods have no names in DNS, the node writes the address on them. */
function addressOf({ metadata }: Pod): string {
  const given = metadata.annotations?.[ANNOTATIONS.httpAddress];
  if (given !== undefined) return given;
  const cluster = metadata.labels?.[LABELS.cluster] ?? '';
  return `${metadata.name}.${cluster}.${metadata.namespace ?? 'default'}.svc:${PORTS.http}`;
}

function versionOf(instance: InstanceFacts): number {
  return statusOf(instance)?.config.version ?? 0;
}
