/**
 * A small world for the planner: objects of Kubernetes, pods with instances in them, their disks and their config.
 *
 * It obeys where reality would (a StatefulSet deletes all surplus pods at once; a disk outlives its pod; objects go with
 * their owners), carries out what a plan says, and stops with an error when an action would harm a cluster.
 */
import { buildConfig, topologyOf, validateConfig } from '@tonearm/runtime/config';
import type { ClusterConfig, InstanceStatus, Topology } from '@tonearm/runtime/contract';
import type {
  KubeObject,
  PersistentVolumeClaim,
  Pod,
  Service,
  StatefulSet,
} from '../api/kube-object.ts';
import { FINALIZER } from '../api/names.ts';
import type { Cluster } from '../api/v1alpha1/cluster.ts';
import { type ReplicaSet, replicaSetSchema } from '../api/v1alpha1/replica-set.ts';
import { withMemory } from '../core/diff/needs-apply.ts';
import { type ClusterPlan, planCluster } from '../core/plan-cluster.ts';
import { storesBuckets } from '../core/roles.ts';
import type { ClusterSnapshot, CookieSecret, InstanceFacts, KnownRole } from '../core/snapshot.ts';
import type { Action, ChangeAction, Intent } from '../core/verdict.ts';
import { OPERATOR_FACTS } from './cluster-objects.ts';
import { guardLowering, guardSeats } from './harm-guards.ts';
import { describeStatus } from './instance-statuses.ts';

export const ROLES: readonly KnownRole[] = [
  { name: 'app.roles.api', dependencies: ['vshard-router'] },
  { name: 'app.roles.storage', dependencies: ['vshard-storage'] },
  { name: 'failover-coordinator', dependencies: [] },
  { name: 'vshard-router', dependencies: [] },
  { name: 'vshard-storage', dependencies: [] },
];

interface Disk {
  uuid: string;
  version: number;
}

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');

export class ModelWorld {
  cluster: Cluster;
  readonly replicaSets = new Map<string, ReplicaSet>();
  readonly statefulSets = new Map<string, StatefulSet>();
  readonly services = new Map<string, Service>();
  readonly pods = new Set<string>();
  /** Pods whose process does not answer. */
  readonly silent = new Set<string>();
  /** By pod name: claims outlive everything. */
  readonly disks = new Map<string, Disk>();
  cookie: CookieSecret | undefined;
  config: ClusterConfig | undefined;
  changes = 0;
  nowMs = NOW_MS;
  readonly #leaders = new Map<string, string>();
  readonly #claims = new Map<string, PersistentVolumeClaim>();
  #count = 100;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  editSpec(edit: (spec: Cluster['spec']) => Cluster['spec']): void {
    const { cluster } = this;
    const generation = (cluster.metadata.generation ?? 0) + 1;
    this.cluster = {
      ...cluster,
      metadata: { ...cluster.metadata, generation },
      spec: edit(cluster.spec),
    };
  }

  scale(name: string, replicas: number): void {
    const found = this.replicaSets.get(name);
    if (found === undefined) return;
    this.replicaSets.set(name, this.#bump(found, { ...found.spec, replicas }));
  }

  /** The user deletes it: the guard keeps it for now. */
  deleteReplicaSet(name: string): void {
    const found = this.replicaSets.get(name);
    if (found === undefined) return;
    const metadata = { ...found.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    this.replicaSets.set(name, { ...found, metadata });
    this.#collect();
  }

  loseDisk(pod: string): void {
    this.disks.set(pod, { uuid: this.#newUuid(), version: 0 });
  }

  /** Everything goes that has an owner; volumes stay. Then somebody applies the manifest again. */
  replaceCluster(cluster: Cluster): void {
    this.replicaSets.clear();
    this.statefulSets.clear();
    this.services.clear();
    this.#leaders.clear();
    for (const pod of this.pods) this.#removePod(pod);
    this.cluster = cluster;
  }

  setReady(statefulSet: string, readyReplicas: number): void {
    const found = this.statefulSets.get(statefulSet);
    if (found === undefined) return;
    this.statefulSets.set(statefulSet, { ...found, status: { readyReplicas } });
  }

  plan(): ClusterPlan {
    return planCluster(this.snapshot());
  }

  /** One reconcile, of which the operator may live to do only the first `steps`. */
  reconcile(steps = Number.POSITIVE_INFINITY): ClusterPlan {
    const plan = this.plan();
    if (steps > 0) this.#applyStatuses(plan);
    for (const action of plan.actions.slice(0, Math.max(0, steps - 1))) this.#act(action);
    this.tick();
    return plan;
  }

  /** What the rest of the world does meanwhile. */
  tick(): void {
    this.nowMs += 1000;
    for (const [name, { spec }] of this.statefulSets) this.#keepPods(name, spec.replicas ?? 0);
    for (const pod of this.pods) if (!this.statefulSets.has(setOf(pod))) this.#removePod(pod);
    this.#elect();
    this.#spreadConfig();
  }

  snapshot(): ClusterSnapshot {
    const known = [...this.pods].filter((pod) => !this.silent.has(pod));
    const hasConfig = known.some((pod) => (this.disks.get(pod)?.version ?? 0) > 0);
    return {
      nowMs: this.nowMs,
      operator: OPERATOR_FACTS,
      cluster: this.cluster,
      replicaSets: [...this.replicaSets.values()],
      statefulSets: [...this.statefulSets.values()],
      services: [...this.services.values()],
      pods: [...this.pods].map((pod) => this.#describePod(pod)),
      claims: [...this.#claims.values()],
      cookie: this.cookie,
      providerCredentials: undefined,
      configSources: [],
      instances: [...this.pods].toSorted().map((pod) => this.#describeInstance(pod)),
      nodeZones: new Map(),
      config: hasConfig ? this.config : undefined,
      roles: known.length > 0 ? ROLES : undefined,
      lastChange: { kind: 'none' },
    };
  }

  topology(): Topology {
    return topologyOf(this.config);
  }

  /** Pod names of the instances that the config has, sorted. */
  joined(): readonly string[] {
    return Object.values(this.topology().servers)
      .flatMap((server) => (server === 'expelled' ? [] : [server.alias]))
      .toSorted();
  }

  #keepPods(set: string, replicas: number): void {
    for (let ordinal = 0; ordinal < replicas; ordinal++) {
      const pod = `${set}-${ordinal}`;
      this.pods.add(pod);
      if (!this.disks.has(pod)) this.loseDisk(pod);
      this.#claim(set, pod);
    }
    for (const pod of this.#podsOf(set)) if (ordinalOf(pod) >= replicas) this.#removePod(pod);
  }

  #removePod(pod: string): void {
    this.pods.delete(pod);
    if (!this.#claims.has(pod)) this.disks.delete(pod);
  }

  #claim(set: string, pod: string): void {
    const template = this.statefulSets.get(set)?.spec.volumeClaimTemplates?.[0];
    if (template === undefined || this.#claims.has(pod)) return;
    const metadata = { name: `data-${pod}`, namespace: 'data', labels: template.metadata.labels };
    this.#claims.set(pod, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: {} });
  }

  /** Participants get it with the change, stragglers from their peers. */
  #spreadConfig(): void {
    for (const pod of this.pods) {
      const disk = this.disks.get(pod);
      if (disk === undefined || this.silent.has(pod) || this.config === undefined) continue;
      if (this.#serverOf(disk.uuid) !== undefined) disk.version = this.config.meta.version;
    }
  }

  #applyStatuses(plan: ClusterPlan): void {
    if (plan.status !== undefined) this.cluster = { ...this.cluster, status: plan.status };
    for (const [name, status] of plan.replicaSetStatuses) {
      const found = this.replicaSets.get(name);
      if (found !== undefined) this.replicaSets.set(name, { ...found, status });
    }
  }

  #act(action: Action): void {
    switch (action.kind) {
      case 'apply':
        return this.#apply(action.resource, withMemory(action.intent));
      case 'create-cookie':
      case 'publish-operator-key':
        this.cookie = { hasCookie: true, operatorKeys: action.keys };
        return;
      case 'scale':
        return this.scale(action.replicaSet, action.replicas);
      case 'delete-replica-set':
        return this.deleteReplicaSet(action.name);
      case 'drop-finalizer':
        this.#setFinalizers(action.name, []);
        return this.#collect();
      case 'add-finalizer':
        return this.#setFinalizers(action.name, [FINALIZER]);
      case 'promote':
        this.#leaders.set(action.replicaSetUuid, action.to);
        return;
      case 'tell-expelled':
        return this.loseDisk(action.instance);
      case 'change':
        return this.#change(action);
      default: // Events, and commits that the model's instances hear of at once.
        return;
    }
  }

  #apply(resource: 'replicaSets' | 'statefulSets' | 'services', intent: Intent): void {
    const { name } = intent.metadata;
    const found: KubeObject | undefined = this[resource].get(name);
    const object = {
      ...intent,
      metadata: {
        ...intent.metadata,
        uid: found?.metadata.uid ?? this.#newUuid(),
        resourceVersion: String(this.#count++),
        generation: (found?.metadata.generation ?? 0) + 1,
      },
    };
    if (resource === 'replicaSets') {
      const status = this.replicaSets.get(name)?.status;
      this.replicaSets.set(name, { ...replicaSetSchema.parse(object), status });
    } else if (resource === 'statefulSets') {
      const next = object as unknown as StatefulSet;
      guardLowering(this.statefulSets.get(name), next, this.joined());
      this.statefulSets.set(name, object as unknown as StatefulSet);
    } else {
      this.services.set(name, object as unknown as Service);
    }
  }

  #change({ sections, message }: ChangeAction): void {
    const issues = validateConfig(sections, {
      previous: this.config,
      storesBuckets: (roles) => storesBuckets(roles, ROLES),
    });
    if (issues.length > 0) throw new Error(`not a valid config: ${JSON.stringify(issues)}`);
    guardSeats(this.topology(), topologyOf({ sections }), {
      leaders: this.#leaders,
      ownsRows: (roles) => storesBuckets(roles, ROLES),
    });
    this.changes += 1;
    const base = {
      version: this.config?.meta.version ?? 0,
      checksum: this.config?.meta.checksum ?? '',
    };
    this.config = buildConfig(sections, {
      base,
      changeId: String(this.changes),
      clusterUuid: this.cluster.status?.uuid ?? '',
      author: 'operator',
      message,
      time: '2026-01-01T00:00:00Z',
    });
    this.#spreadConfig();
  }

  #elect(): void {
    for (const [uuid, { failover_priority: priority }] of Object.entries(
      this.topology().replicasets,
    )) {
      const alive = priority.filter((one) => this.#isAlive(one));
      const leader = this.#leaders.get(uuid);
      if (leader !== undefined && alive.includes(leader)) continue;
      if (alive[0] === undefined) this.#leaders.delete(uuid);
      else this.#leaders.set(uuid, alive[0]);
    }
  }

  #isAlive(uuid: string): boolean {
    return [...this.pods].some(
      (pod) => this.disks.get(pod)?.uuid === uuid && !this.silent.has(pod),
    );
  }

  #serverOf(uuid: string): Exclude<Topology['servers'][string], 'expelled'> | undefined {
    const server = this.topology().servers[uuid];
    return server === 'expelled' ? undefined : server;
  }

  #describePod(pod: string): Pod {
    const template = this.statefulSets.get(setOf(pod))?.spec.template.metadata;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod, namespace: 'data', labels: { ...template?.labels } },
      spec: { containers: [] },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: this.#isReady(pod) ? 'True' : 'False' }],
      },
    };
  }

  #isReady(pod: string): boolean {
    return !this.silent.has(pod) && (this.disks.get(pod)?.version ?? 0) > 0;
  }

  #describeInstance(pod: string): InstanceFacts {
    return {
      podName: pod,
      replicaSet: setOf(pod),
      ordinal: ordinalOf(pod),
      address: `${pod}:8081`,
      ready: this.#isReady(pod),
      ...{ terminating: false, node: '', createdMs: NOW_MS - 60_000 },
      answer: this.silent.has(pod)
        ? { kind: 'silent', reason: 'no answer' }
        : { kind: 'status', status: this.#status(pod) },
    };
  }

  #status(pod: string): InstanceStatus {
    const disk = this.disks.get(pod) ?? { uuid: '', version: 0 };
    const set = this.#serverOf(disk.uuid)?.replicaset_uuid;
    const peers = Object.entries(this.topology().servers).filter(
      ([, other]) => other !== 'expelled' && other.replicaset_uuid === set,
    );
    return describeStatus({
      pod,
      replicaSet: setOf(pod),
      uuid: disk.uuid,
      clusterUuid: this.cluster.status?.uuid ?? '',
      version: disk.version,
      checksum: disk.version === 0 ? '' : (this.config?.meta.checksum ?? ''),
      replicaSetUuid: set,
      leader: set === undefined ? undefined : this.#leaders.get(set),
      inSync: peers.map(([uuid]) => uuid).filter((uuid) => this.#isAlive(uuid)),
    });
  }

  #podsOf(set: string): readonly string[] {
    return [...this.pods].filter((pod) => setOf(pod) === set);
  }

  #setFinalizers(name: string, finalizers: readonly string[]): void {
    const found = this.replicaSets.get(name);
    if (found === undefined) return;
    const metadata = { ...found.metadata, finalizers: [...finalizers] };
    this.replicaSets.set(name, { ...found, metadata });
  }

  /** Deleted objects without a guard go, and what they own goes with them. */
  #collect(): void {
    for (const [name, { metadata }] of this.replicaSets) {
      const isGuarded = (metadata.finalizers ?? []).length > 0;
      if (metadata.deletionTimestamp === undefined || isGuarded) continue;
      if (this.joined().some((pod) => setOf(pod) === name)) {
        throw new Error(`${name} is removed with instances that the config knows`);
      }
      this.replicaSets.delete(name);
      this.statefulSets.delete(name);
    }
  }

  #bump(found: ReplicaSet, spec: ReplicaSet['spec']): ReplicaSet {
    const generation = (found.metadata.generation ?? 0) + 1;
    const resourceVersion = String(this.#count++);
    return { ...found, metadata: { ...found.metadata, generation, resourceVersion }, spec };
  }

  #newUuid(): string {
    return `0c000000-0000-4000-8000-${String(this.#count++).padStart(12, '0')}`;
  }
}

function setOf(pod: string): string {
  return pod.replace(/-\d+$/, '');
}

function ordinalOf(pod: string): number {
  return Number(/\d+$/.exec(pod)?.[0]);
}
