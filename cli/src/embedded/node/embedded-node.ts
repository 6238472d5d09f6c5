/**
 * The one machine of an embedded Kubernetes: it makes the pods of StatefulSets, runs each as a process on
 * 127.0.0.1, and leads the Services of clusters to them.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Clock, type Logger, TaskRegistry } from '@tonearm/runtime/foundation';
import { VERSION } from '../api/version.ts';
import { EventRecorder } from './event-recorder.ts';
import { type NodeApi, PODS } from './node-api.ts';
import { NODE_NAME, registerNode } from './node-object.ts';
import { type Claim, type LocalPorts as LocalPortsByName, type Pod } from './objects.ts';
import type { Images } from './pods/images.ts';
import { PodVolumes } from './pods/pod-volumes.ts';
import { PodWorker, type PodWorkerParts } from './pods/pod-worker.ts';
import type { LocalPorts } from './processes/local-ports.ts';
import type { ProcessHost } from './processes/process-host.ts';
import { ServiceController } from './services/service-controller.ts';
import { StatefulSetController } from './workloads/stateful-set-controller.ts';

export interface EmbeddedNodeOptions {
  readonly api: NodeApi;
  readonly host: ProcessHost;
  readonly images: Images;
  readonly ports: LocalPorts;
  /** Volumes, logs and what the node itself remembers. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told in words for people. */
  onNotice(notice: string): void;
  onFailure(name: string, error: unknown): void;
}

/** Changes of these are what the node's own work depends on. */
const WATCHED = new Set([
  'pods',
  'statefulsets',
  'services',
  'persistentvolumeclaims',
  'secrets',
  'configmaps',
  'clusters',
]);

export class EmbeddedNode {
  readonly #options: EmbeddedNodeOptions;
  readonly #tasks: TaskRegistry;
  readonly #sets: StatefulSetController;
  readonly #services: ServiceController;
  readonly #volumes: PodVolumes;
  readonly #workerParts: PodWorkerParts;
  readonly #workers = new Map<string, PodWorker>();
  readonly #removedClaims = new Map<string, Claim>();
  readonly #unsubscribe: () => void;
  #isStopping = false;
  #isScheduled = false;
  #isDataChanged = false;
  #opening: Promise<void> = Promise.resolve();

  private constructor(options: EmbeddedNodeOptions) {
    const { api, clock, directory, host, images, ports } = options;
    this.#options = options;
    this.#tasks = new TaskRegistry(options.logger, (name, error) => options.onFailure(name, error));
    const events = new EventRecorder(api, clock, 'tonearm-node');
    this.#volumes = new PodVolumes(api, directory);
    this.#sets = new StatefulSetController(api, events);
    this.#workerParts = {
      api,
      events,
      host,
      images,
      ports,
      clock,
      nodeName: NODE_NAME,
      volumes: this.#volumes,
      logFile: ({ metadata }) => podLogFile(directory, metadata),
    };
    this.#services = new ServiceController({
      api,
      nodeName: NODE_NAME,
      portsOf: (pod) => this.#portsOf(pod),
      onPortTaken: ({ wanted, given, id }) =>
        options.onNotice(`port ${wanted} is in use: ${id} is on 127.0.0.1:${given}`),
    });
    this.#unsubscribe = api.subscribe((plural, object, isDeleted) => {
      if (!WATCHED.has(plural)) return;
      if (plural === 'persistentvolumeclaims' && isDeleted) {
        this.#removedClaims.set(object.metadata.uid, object as Claim);
      }
      if (plural === 'secrets' || plural === 'configmaps') this.#isDataChanged = true;
      this.#schedule();
    });
  }

  /** Pods of an earlier run start again, with their data and, where free, their ports. */
  static start(options: EmbeddedNodeOptions): EmbeddedNode {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const now = options.clock.wallTime().toISOString();
    registerNode(options.api, {
      now: now.replace(/\.\d+Z$/, 'Z'),
      version: VERSION.gitVersion,
    });
    const node = new EmbeddedNode(options);
    node.#schedule();
    return node;
  }

  /** Ends every process, the hard way after the grace; the pods stay, and run again at the next start. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#unsubscribe();
    for (const worker of this.#workers.values()) worker.stop(graceMs);
    await this.#tasks.close();
    await this.#opening;
    await this.#services.close();
  }

  /** Ends every process now, while `stop` waits for them. */
  kill(): void {
    for (const worker of this.#workers.values()) worker.stop(0);
  }

  /** Once per turn of the event loop, however many changes there were. */
  #schedule(): void {
    if (this.#isScheduled || this.#isStopping) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#isStopping) return;
      try {
        this.#reconcile();
      } catch (error) {
        this.#options.onFailure('embedded-node', error);
      }
    });
  }

  #reconcile(): void {
    const { api } = this.#options;
    this.#sets.reconcile();
    const pods = new Map(api.list(PODS).map((pod) => [pod.metadata.uid, pod]));
    for (const [uid, worker] of this.#workers) worker.notice(pods.get(uid));
    for (const pod of pods.values()) {
      if (!this.#workers.has(pod.metadata.uid)) this.#startWorker(pod);
    }
    if (this.#isDataChanged) for (const worker of this.#workers.values()) worker.renewVolumes();
    this.#isDataChanged = false;
    this.#removeClaims([...pods.values()]);
    this.#opening = this.#opening
      .then(() => (this.#isStopping ? undefined : this.#services.reconcile()))
      .catch((error: unknown) => this.#options.onFailure('services', error));
  }

  #startWorker(pod: Pod): void {
    const { uid, name } = pod.metadata;
    const worker = new PodWorker(this.#workerParts, pod);
    this.#workers.set(uid, worker);
    this.#tasks.run(`pod ${name}`, async () => {
      await worker.run();
      this.#workers.delete(uid);
      this.#schedule();
    });
  }

  /** The data of a claim goes with the claim, but not under a process that still uses it. */
  #removeClaims(pods: readonly Pod[]): void {
    for (const [uid, claim] of this.#removedClaims) {
      const isUsed = pods.some((pod) => uses(pod, claim));
      if (isUsed) continue;
      this.#volumes.removeClaim(claim);
      this.#removedClaims.delete(uid);
    }
  }

  #portsOf(pod: Pod): LocalPortsByName {
    return this.#workers.get(pod.metadata.uid)?.ports ?? {};
  }
}

export function podLogFile(
  directory: string,
  pod: { readonly namespace: string; readonly name: string },
): string {
  return path.join(directory, 'logs', pod.namespace, `${pod.name}.log`);
}

function uses(pod: Pod, claim: Claim): boolean {
  const { namespace, name } = claim.metadata;
  if (pod.metadata.namespace !== namespace) return false;
  const volumes = pod.spec.volumes ?? [];
  return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name);
}
