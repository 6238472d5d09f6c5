/**
 * Wires the operator: settings and adapters into controllers, and the order in which they start and stop.
 *
 * Watches run always, so that a stand-by takes over at once; work is done only while this process leads.
 */
import { type Clock, type Logger, type Random, systemRandom } from '@tonearm/runtime/foundation';
import { KubeEventRecorder } from './adapters/event-recorder.ts';
import { HealthServer } from './adapters/health-server.ts';
import { HttpAdminApi } from './adapters/http-admin-api.ts';
import { KubeClient } from './adapters/kube-client.ts';
import { type KubeConfigSource, type KubeServer, openKubeServer } from './adapters/kube-server.ts';
import { LeaderElector } from './adapters/leader-elector.ts';
import { ed25519KeyGenerator, OperatorTokens } from './adapters/operator-tokens.ts';
import { RequestLimiter } from './adapters/request-limiter.ts';
import { UndiciKubeTransport } from './adapters/undici-kube-transport.ts';
import { yamlSectionParser } from './adapters/yaml-section-parser.ts';
import { ClusterWatches } from './cluster-watches.ts';
import { PlanApplier } from './controller/apply-plan.ts';
import { ChangeDriver } from './controller/change-driver.ts';
import { ClusterController } from './controller/cluster-controller.ts';
import { NodeZones } from './controller/node-zones.ts';
import { ClusterObserver } from './controller/observe-cluster.ts';
import { loadOperatorKeys } from './controller/operator-keys.ts';
import { WorkQueue } from './controller/work-queue.ts';
import type { DefaultStateProvider } from './core/snapshot.ts';
import { type Kube, KubeError } from './ports/kube.ts';
import type { OperatorKeys } from './ports/operator-keys.ts';
import type { Settings } from './settings.ts';

export interface OperatorOptions {
  readonly settings: Settings;
  /** Left out: what the settings say, else KUBECONFIG, else the service account of the pod. */
  readonly kubeConfig?: KubeConfigSource;
  /** For clusters that name none; left out: what the settings say. */
  readonly defaultStateProvider?: DefaultStateProvider;
  /** Instead of the pair in the Secret. */
  readonly keys?: OperatorKeys;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: Random;
}

export interface RunningOperator {
  /** Resolves when the operator has stopped; rejects when it could not go on. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** The elector's own requests are few, and must never wait behind those of the controllers. */
const ELECTOR_LIMITS = { perSecond: 10, burst: 20 };
const START_RETRY_MS = 500;
const SYNC_POLL_MS = 50;

export function startOperator(options: OperatorOptions): RunningOperator {
  const stop = new AbortController();
  const ended = runOperator(options, stop.signal);
  // Whoever started the operator may look at `ended` late.
  ended.catch(() => undefined);
  return {
    ended,
    async close() {
      stop.abort(new Error('the operator stops'));
      // How it ended is for `ended` to tell.
      await Promise.allSettled([ended]);
    },
  };
}

async function runOperator(options: OperatorOptions, signal: AbortSignal): Promise<void> {
  const server = await openKubeServer(options.kubeConfig ?? kubeConfigOf(options.settings));
  await new Operator(options, server).run(signal);
}

class Operator {
  readonly #options: OperatorOptions;
  readonly #random: Random;
  readonly #transport: UndiciKubeTransport;
  readonly #queue: WorkQueue;
  readonly #elector: LeaderElector;
  readonly #kube: Kube;
  readonly #watches: ClusterWatches;
  readonly #recorder: KubeEventRecorder;

  constructor(options: OperatorOptions, server: KubeServer) {
    this.#options = options;
    const { settings, clock, logger } = options;
    const random = options.random ?? systemRandom;
    this.#random = random;
    this.#transport = new UndiciKubeTransport(server, clock);
    this.#queue = new WorkQueue(clock);
    const { podName, podUid } = settings;
    const pod = podUid === undefined ? undefined : `${podName}_${podUid}_`;
    this.#elector = new LeaderElector({
      kube: this.#client(ELECTOR_LIMITS),
      lease: { namespace: settings.namespace, name: settings.leaseName },
      identity: `${pod ?? `${podName}_`}${random.uuid()}`,
      pod,
      clock,
      random,
      logger,
    });
    const { requestsPerSecond: perSecond, leaderElection } = settings;
    const mayWrite = leaderElection ? () => this.#elector.isLeading() : () => true;
    this.#kube = this.#client({ perSecond, burst: perSecond * 2 }, mayWrite);
    const namespaces = settings.watchNamespaces;
    const kube = this.#kube;
    this.#watches = new ClusterWatches({ kube, namespaces, clock, random, logger });
    this.#watches.subscribe((key) => this.#queue.add(key));
    this.#recorder = new KubeEventRecorder({
      kube,
      clock,
      random,
      logger,
      instance: settings.podName,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.#options;
    const health = new HealthServer({
      port: settings.httpPort,
      isReady: () => this.#watches.hasSynced(),
    });
    await health.open();
    const failed = new AbortController();
    const both = AbortSignal.any([signal, failed.signal]);
    const end = (): void => failed.abort(new Error('a part of the operator has ended'));
    try {
      const work = settings.leaderElection
        ? this.#elector.run(both, (leading) => this.#lead(leading))
        : this.#lead(both);
      const outcomes = await Promise.allSettled([
        this.#watches.run(both).finally(end),
        work.finally(end),
      ]);
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failure !== undefined) throw failure.reason as Error;
    } finally {
      await health.close();
      await this.#transport.close();
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { clock, logger, settings } = this.#options;
    const keys = await this.#keys(signal);
    if (keys === undefined) return;
    while (!this.#watches.hasSynced() && !signal.aborted) await this.#pause(SYNC_POLL_MS, signal);
    const admin = new HttpAdminApi(new OperatorTokens(keys.privateKey, clock));
    const controller = this.#controller(admin, keys);
    for (const { metadata } of this.#watches.caches.clusters.list()) {
      this.#queue.add(`${metadata.namespace ?? 'default'}/${metadata.name}`, 'low');
    }
    logger.info({ workers: settings.workers }, 'reconciling');
    const workers = Array.from({ length: settings.workers }, () => this.#work(controller, signal));
    await Promise.all([this.#recorder.run(signal), ...workers]);
    await admin.close();
  }

  #controller(admin: HttpAdminApi, keys: OperatorKeys): ClusterController {
    const { clock, logger, settings, defaultStateProvider } = this.#options;
    const kube = this.#kube;
    const { caches } = this.#watches;
    const recorder = this.#recorder;
    const driver = new ChangeDriver({ admin, clock, logger });
    const operator = {
      etcdImage: settings.etcdImage,
      defaultStateProvider: defaultStateProvider ?? providerOf(settings),
      publicKey: keys.publicKey,
      guardsReplicaSets: settings.watchNamespaces.length === 0,
    };
    const parser = yamlSectionParser;
    // Two random UUIDs: 244 bits.
    const makeCookie = (): string =>
      `${this.#random.uuid()}${this.#random.uuid()}`.replaceAll('-', '');
    return new ClusterController({
      kube,
      caches,
      observer: new ClusterObserver({
        ...{ kube, caches, admin, parser, clock, operator },
        nodeZones: settings.nodeZones ? new NodeZones({ kube, clock, logger }) : undefined,
      }),
      applier: new PlanApplier({ kube, caches, admin, driver, recorder, makeCookie }),
      driver,
      recorder,
      clock,
      logger,
    });
  }

  async #work(controller: ClusterController, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let key: string;
      try {
        key = await this.#queue.take(signal);
      } catch {
        return; // Only the signal interrupts it.
      }
      await this.#reconcile(controller, key, signal);
      this.#queue.done(key);
    }
  }

  async #reconcile(controller: ClusterController, key: string, signal: AbortSignal): Promise<void> {
    try {
      const reconciled = await controller.reconcile(key, signal);
      this.#queue.forget(key);
      if (reconciled.kind === 'requeue') this.#queue.addAfter(key, reconciled.afterMs);
    } catch (error) {
      if (signal.aborted) return;
      // A bug of ours stops one cluster, not all: the key comes back later and later, and the log tells.
      const isExpected = error instanceof KubeError;
      const fields = { cluster: key, ...(isExpected ? describe(error) : { error }) };
      if (isExpected && error.status === 409) this.#options.logger.debug(fields, 'conflict');
      else this.#options.logger.error(fields, 'reconcile failed');
      this.#queue.retry(key);
    }
  }

  /** Nothing when the signal aborts first. */
  async #keys(signal: AbortSignal): Promise<OperatorKeys | undefined> {
    const { keys, settings, logger } = this.#options;
    if (keys !== undefined) return keys;
    const secret = { namespace: settings.namespace, name: settings.keysSecretName };
    while (!signal.aborted) {
      try {
        return await loadOperatorKeys(this.#kube, secret, ed25519KeyGenerator);
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        logger.warn(describe(error), 'the keys of the operator cannot be read');
        await this.#pause(START_RETRY_MS, signal);
      }
    }
    return undefined;
  }

  #client(
    limits: { readonly perSecond: number; readonly burst: number },
    mayWrite?: () => boolean,
  ): KubeClient {
    const limiter = new RequestLimiter(this.#options.clock, limits);
    const transport = this.#transport;
    return new KubeClient({
      transport,
      limiter,
      ...(mayWrite === undefined ? {} : { mayWrite }),
    });
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(delayMs, signal);
    } catch {
      // Only the signal interrupts a sleep, and every loop looks at it next.
    }
  }
}

function describe({ status, reason, message }: KubeError): Readonly<Record<string, unknown>> {
  return { status, reason, error: message };
}

function kubeConfigOf({ kubeconfig }: Settings): KubeConfigSource {
  return kubeconfig === undefined ? { kind: 'default' } : { kind: 'file', path: kubeconfig };
}

function providerOf({ defaultStateProvider, stateboardUrl }: Settings): DefaultStateProvider {
  if (defaultStateProvider === 'managed-etcd') return { kind: 'ManagedEtcd' };
  return { kind: 'Stateboard', uri: new URL(stateboardUrl ?? '').host, password: '' };
}
