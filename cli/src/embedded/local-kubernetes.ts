/**
 * A Kubernetes for one laptop: the API, the node, a state provider and the operator, in this order, and stopped in
 * the opposite one. What must survive is in the state directory.
 */
import { writeFileSync } from 'node:fs';
import { crds, validateCluster, validateReplicaSet } from '@tonearm/operator/api';
import { type Clock, type Logger, systemClock } from '@tonearm/runtime/foundation';
import type { CustomValidation } from './api/custom-resources.ts';
import { equalJson, type JsonObject, without } from './api/json.ts';
import type { KubernetesObject } from './api/kubernetes-object.ts';
import type { ObjectStore } from './api/object-store.ts';
import { type KubernetesApi, startKubernetesApi } from './api/start-kubernetes-api.ts';
import type { WriteResult } from './api/store-operations.ts';
import { startEmbeddedOperator } from './embedded-operator.ts';
import { FileLog } from './file-logger.ts';
import { buildKubeconfig } from './kubeconfig.ts';
import type { Manifest } from './manifests.ts';
import { EmbeddedNode, podLogFile } from './node/embedded-node.ts';
import { PODS } from './node/node-api.ts';
import { ApplicationImages } from './node/pods/images.ts';
import { readPodLog } from './node/pods/pod-log.ts';
import { LocalPorts } from './node/processes/local-ports.ts';
import { ProcessHost } from './node/processes/process-host.ts';
import { StoreNodeApi } from './node/store-node-api.ts';
import type { StateDirectory, StateMemory } from './state-directory.ts';
import { type PlannedProvider, planEtcd, planStateboard } from './state-provider-process.ts';
import { SupervisedProcess } from './supervised-process.ts';

export interface LocalKubernetesOptions {
  readonly state: StateDirectory;
  readonly memory: StateMemory;
  readonly namespace: string;
  /** Ends when instances may start. */
  readonly prepared: Promise<void>;
  /** Told in words for people. */
  onNotice(notice: string): void;
  /** Something that must not fail has; the caller stops us. */
  onFailure(name: string, error: unknown): void;
}

/**
 * All together a stop takes less than ten seconds, whatever hangs. Instances hand leadership over and close their
 * files, which takes them a second or two; one that is killed instead loses nothing that it has acknowledged.
 */
const OPERATOR_GRACE_MS = 1_000;
const POD_GRACE_MS = 6_000;
const PROVIDER_GRACE_MS = 1_500;
const MANAGER = 'tonearm-up';

export type Comparison = 'absent' | 'same' | 'different';

/** Where kubectl keeps what it has applied. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

interface ApplyHow {
  readonly namespace?: string;
  readonly dryRun?: boolean;
}

interface Parts {
  readonly namespace: string;
  readonly api: KubernetesApi;
  readonly node: EmbeddedNode;
  readonly provider: SupervisedProcess;
  /** Stops everything, in the opposite order of starting. */
  readonly running: AsyncDisposableStack;
}

export class LocalKubernetes {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** When a part cannot start, those before it are stopped. */
  static async start(options: LocalKubernetesOptions): Promise<LocalKubernetes> {
    await using running = new AsyncDisposableStack();
    const { state, memory, namespace } = options;
    const onNotice = (notice: string): void => options.onNotice(notice);
    const log = running.adopt(FileLog.open(`${state.logs}/tonearm.log`), (open) => open.close());
    const logger = log.logger();
    const host = running.adopt(ProcessHost.open(state.processes), (open) => open.close());
    const ports = LocalPorts.open(state.processes);
    const planned = await planProvider(memory, state, ports);
    const provider = running.adopt(
      SupervisedProcess.start({ ...planned, host, clock: systemClock, onNotice }),
      (started) => started.stop(PROVIDER_GRACE_MS),
    );
    const port = await ports.claim('kubernetes-api');
    const api = running.adopt(await startApi(options, port, logger), (open) => open.close());
    ensureNamespace(api.store, namespace);
    for (const definition of crds()) apply(api.store, definition);
    const kubeconfig = buildKubeconfig({ url: api.url, namespace });
    writeFileSync(state.kubeconfigFile, kubeconfig, { mode: 0o600 });
    await options.prepared;
    const started = EmbeddedNode.start({
      api: new StoreNodeApi(api.store),
      host,
      images: new ApplicationImages(memory.images),
      ports,
      directory: state.root,
      clock: systemClock,
      logger: logger.child({ part: 'node' }),
      onNotice,
      onFailure: (name, error) => options.onFailure(name, error),
    });
    const node = running.adopt(started, (open) => open.stop(POD_GRACE_MS));
    const operator = startEmbeddedOperator({
      url: api.url,
      provider: planned.provider,
      logger: logger.child({ part: 'operator' }),
      onFailure: (error) => options.onFailure('operator', error),
    });
    running.adopt(operator, (open) => within(systemClock, OPERATOR_GRACE_MS, open.stop()));
    return new LocalKubernetes({ namespace, api, node, provider, running: running.move() });
  }

  get url(): string {
    return this.#parts.api.url;
  }

  get store(): ObjectStore {
    return this.#parts.api.store;
  }

  /**
   * Lays a manifest over what is there, as `kubectl apply --server-side --force-conflicts` does. The manifest is kept
   * for a later `kubectl apply`, which takes out only what it finds there and no more in its own.
   */
  apply(manifest: Manifest): void {
    const namespace = manifest.namespace === '' ? this.#parts.namespace : manifest.namespace;
    apply(this.store, withLastApplied(manifest.object), { namespace });
  }

  /** What `apply` would change. */
  compare(manifest: Manifest): Comparison {
    const resource = this.store.registry.findKind(manifest.apiVersion, manifest.kind);
    if (resource === undefined) return 'absent';
    const wanted = manifest.namespace === '' ? this.#parts.namespace : manifest.namespace;
    const namespace = resource.isNamespaced ? wanted : '';
    const present = this.store.find(resource, { namespace, name: manifest.name });
    if (present === undefined) return 'absent';
    try {
      const how = { namespace: wanted, dryRun: true };
      const { object } = apply(this.store, withLastApplied(manifest.object), how);
      return equalJson(contentOf(object), contentOf(present)) ? 'same' : 'different';
    } catch {
      // It would be refused, and whoever applies it is told why.
      return 'different';
    }
  }

  /** The operator first, so that it does not mend what is being taken down; the memory of leadership last. */
  async stop(): Promise<void> {
    await this.#parts.running.disposeAsync();
  }

  /** Ends every process now, while `stop` waits for them. */
  kill(): void {
    this.#parts.node.kill();
    void this.#parts.provider.stop(0);
  }
}

/** Waits for something, but not for ever. */
async function within(clock: Clock, limitMs: number, end: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const limit = clock.sleep(limitMs, waiting.signal).catch(() => undefined);
  await Promise.race([end, limit]);
  waiting.abort();
}

async function planProvider(
  memory: StateMemory,
  state: StateDirectory,
  ports: LocalPorts,
): Promise<PlannedProvider> {
  return memory.stateProvider === 'etcd' ? planEtcd(state, ports) : planStateboard(state, ports);
}

async function startApi(
  options: LocalKubernetesOptions,
  port: number,
  logger: Logger,
): Promise<KubernetesApi> {
  const { state } = options;
  const opened: { store?: ObjectStore } = {};
  const place = {
    logFile: (pod: { namespace: string; name: string }) => podLogFile(state.root, pod),
    hasPod: (pod: { namespace: string; name: string }) =>
      opened.store !== undefined && new StoreNodeApi(opened.store).get(PODS, pod) !== undefined,
  };
  const api = await startKubernetesApi({
    port,
    secret: state.apiSecret(),
    file: state.objectsFile,
    podLogs: (request) => readPodLog(place, request),
    validate: validateCustomResource,
    onFileError: (error) => {
      logger.error({ error, file: state.objectsFile }, 'the objects cannot be written');
      options.onNotice(`${state.objectsFile} cannot be written: is the disk full?`);
    },
  });
  opened.store = api.store;
  return api;
}

const validateCustomResource: CustomValidation = (_group, kind, object, oldObject) => {
  const validate = kind === 'Cluster' ? validateCluster : validateReplicaSet;
  return validate(object, oldObject as never);
};

function apply(store: ObjectStore, object: object, how: ApplyHow = {}): WriteResult {
  const { namespace = '', dryRun = false } = how;
  const { apiVersion = '', kind = '', metadata } = object as Partial<KubernetesObject>;
  const resource = store.registry.findKind(apiVersion, kind);
  if (resource === undefined) {
    throw new Error(`${apiVersion} ${kind} is not served here: see "kubectl api-resources"`);
  }
  const target = { namespace: resource.isNamespaced ? namespace : '', name: metadata?.name ?? '' };
  const options = { manager: MANAGER, force: true, fieldValidation: 'Strict' as const, dryRun };
  return store.apply(resource, target, { ...object }, options);
}

function withLastApplied(object: Manifest['object']): Manifest['object'] {
  const { metadata } = object as Partial<KubernetesObject>;
  const annotations = { ...metadata?.annotations, [LAST_APPLIED]: JSON.stringify(object) };
  return { ...object, metadata: { ...metadata, annotations } };
}

/** Without what a write changes by itself, and without what kubectl remembers. */
function contentOf({ metadata, ...rest }: KubernetesObject): JsonObject {
  const { annotations = {}, ...own } = metadata;
  const kept = without(own, 'managedFields', 'generation', 'resourceVersion');
  return { ...rest, metadata: { ...kept, annotations: without(annotations, LAST_APPLIED) } };
}

function ensureNamespace(store: ObjectStore, name: string): void {
  const resource = store.resource({ group: '', version: 'v1', plural: 'namespaces' });
  if (store.find(resource, { namespace: '', name }) !== undefined) return;
  const metadata = { name };
  store.create(resource, '', { apiVersion: 'v1', kind: 'Namespace', metadata });
}
