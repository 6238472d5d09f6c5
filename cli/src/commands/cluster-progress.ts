/**
 * Tells, in few lines, how the clusters of `tonearm up` come to serve, and then where they are.
 *
 * A stage is told once. What is in the way is told only when it stays: a start passes by many obstacles in no time.
 */
import { type Console, relative, renderTable } from '../console.ts';
import type { KubernetesObject } from '../embedded/api/kubernetes-object.ts';
import type { LocalKubernetes } from '../embedded/local-kubernetes.ts';
import type { StateDirectory } from '../embedded/state-directory.ts';
import {
  allRunSince,
  type ClusterStage,
  isBootstrapped,
  obstacleOf,
  stageOf,
} from './cluster-stage.ts';

export interface ProgressParts {
  readonly kubernetes: LocalKubernetes;
  readonly state: StateDirectory;
  readonly console: Console;
  /** What newcomers may try, with the address of the first template; nothing for applications of others. */
  readonly examples: (address: string) => readonly string[];
}

const LOCAL_ADDRESS = 'tonearm.dev/local-address';
const CLUSTER_LABEL = 'tonearm.dev/cluster';
const CLUSTERS = { group: 'tonearm.dev', version: 'v1alpha1', plural: 'clusters' };
const SERVICES = { group: '', version: 'v1', plural: 'services' };
const PODS = { group: '', version: 'v1', plural: 'pods' };
/** When this process began, as Kubernetes writes times. */
const BEGAN = `${new Date(performance.timeOrigin).toISOString().slice(0, 19)}Z`;
/** Bursts of changes become one look. */
const SETTLE_MS = 20;
const LOOK_EVERY_MS = 1_000;
/** A start takes seconds; what is in the way for longer is worth a line. */
const PATIENCE_MS = 10_000;

interface Told {
  readonly stage: ClusterStage;
  readonly sinceMs: number;
  readonly obstacle: string;
}

export class ClusterProgress {
  readonly #parts: ProgressParts;
  readonly #told = new Map<string, Told>();
  /** Clusters of an earlier run, until all their instances have run in this one. */
  readonly #stale = new Set<string>();
  #subscription: { close(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #hasShownAddresses = false;

  constructor(parts: ProgressParts) {
    this.#parts = parts;
  }

  begin(): void {
    const { kubernetes, state } = this.#parts;
    const { host } = new URL(kubernetes.url);
    this.#say(`a small Kubernetes runs on ${host}; its state is in ${relative(state.root)}`);
    this.#subscription = kubernetes.store.onChange(() => {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, SETTLE_MS);
    });
    for (const cluster of this.#list(CLUSTERS)) {
      if (isBootstrapped(cluster)) this.#stale.add(keyOf(cluster));
    }
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#look();
  }

  end(): void {
    clearInterval(this.#looking);
    this.#subscription?.close();
    clearTimeout(this.#timer);
  }

  #look(): void {
    const clusters = this.#list(CLUSTERS);
    for (const cluster of clusters) this.#follow(cluster);
    if (this.#hasShownAddresses || clusters.length === 0) return;
    const addresses = this.#addresses();
    const isComplete = clusters.every(
      (cluster) =>
        this.#told.get(keyOf(cluster))?.stage.kind === 'ready' &&
        addresses.some((address) => address.cluster === cluster.metadata.name),
    );
    if (!isComplete) return;
    this.#hasShownAddresses = true;
    this.#sayAddresses(addresses);
  }

  #follow(cluster: KubernetesObject): void {
    const { name, namespace } = cluster.metadata;
    const pods = this.#list(PODS).filter(
      ({ metadata }) =>
        metadata.namespace === namespace && metadata.labels?.[CLUSTER_LABEL] === name,
    );
    if (pods.length > 0 && allRunSince(pods, BEGAN)) this.#stale.delete(keyOf(cluster));
    const isStale = this.#stale.has(keyOf(cluster));
    const stage = stageOf({ cluster, hasPods: pods.length > 0, isStale });
    const told = this.#told.get(keyOf(cluster));
    const nowMs = performance.now();
    if (told === undefined || isNews(stage, told.stage)) {
      this.#told.set(keyOf(cluster), { stage, sinceMs: nowMs, obstacle: '' });
      this.#say(`${name}: ${stage.text}`);
      return;
    }
    if (stage.kind === 'ready') {
      const { obstacle } = told;
      if (obstacle !== '') this.#say(`${name}: ready again`);
      this.#told.set(keyOf(cluster), { stage, sinceMs: nowMs, obstacle: '' });
      return;
    }
    const obstacle = obstacleOf(cluster);
    const isOld = nowMs - told.sinceMs >= PATIENCE_MS && stage.kind !== 'refused';
    if (!isOld || obstacle === '' || obstacle === told.obstacle) return;
    this.#told.set(keyOf(cluster), { stage: told.stage, sinceMs: nowMs, obstacle });
    this.#say(`${name} is not ready: ${obstacle} See "tonearm status".`);
  }

  /** With the seconds since the command was typed. */
  #say(text: string): void {
    const { console } = this.#parts;
    const seconds = (performance.now() / 1000).toFixed(1).padStart(5);
    console.line(`${console.dim(`${seconds} s`)}  ${text}`);
  }

  #sayAddresses(addresses: readonly Address[]): void {
    const { console, state, examples } = this.#parts;
    const open = addresses.filter(({ port }) => port === 'http');
    const rows = [
      ...open.map(({ service, address }) => [service, `http://${address}`]),
      ['kubectl', `export KUBECONFIG="${relative(state.kubeconfigFile)}"`],
      ['logs', relative(state.logs)],
    ];
    console.line();
    for (const line of renderTable(rows)) console.line(`  ${line}`);
    const lines = examples(open[0]?.address ?? '');
    if (lines.length > 0) {
      console.line();
      for (const line of lines) console.line(`  ${line}`);
    }
    console.line();
    console.line('Ctrl-C stops everything; the data stays.');
  }

  #addresses(): Address[] {
    const addresses = this.#list(SERVICES).flatMap((service) => {
      const text = service.metadata.annotations?.[LOCAL_ADDRESS] ?? '';
      const cluster = service.metadata.labels?.[CLUSTER_LABEL] ?? '';
      const pairs = text.split(',').filter((pair) => pair !== '');
      return pairs.map((pair) => {
        const [port = '', address = ''] = pair.split('=');
        return { cluster, service: service.metadata.name, port, address };
      });
    });
    // By port: the first template has the first one.
    return addresses.toSorted((left, right) => portOf(left) - portOf(right));
  }

  #list(address: typeof CLUSTERS): readonly KubernetesObject[] {
    const { store } = this.#parts.kubernetes;
    const resource = store.registry.find(address);
    return resource === undefined ? [] : store.list(resource).items;
  }
}

interface Address {
  readonly cluster: string;
  readonly service: string;
  readonly port: string;
  readonly address: string;
}

const ORDER: readonly ClusterStage['kind'][] = ['planned', 'starting', 'joined', 'ready'];

/** Going back is no news: a cluster that loses a leader for a moment has not begun anew. */
function isNews(stage: ClusterStage, told: ClusterStage): boolean {
  if (stage.kind === 'refused') return stage.text !== told.text;
  return told.kind === 'refused' || ORDER.indexOf(stage.kind) > ORDER.indexOf(told.kind);
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function portOf({ address }: Address): number {
  return Number(address.split(':')[1]);
}
