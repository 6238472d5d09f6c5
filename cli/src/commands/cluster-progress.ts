/** Tells, in few lines, how the clusters of `tonearm up` come to serve, and then where they are. */
import path from 'node:path';
import type { Console } from '../console.ts';
import { renderTable } from '../console.ts';
import { listAt, textAt } from '../embedded/api/json.ts';
import type { KubernetesObject } from '../embedded/api/kubernetes-object.ts';
import type { LocalKubernetes } from '../embedded/local-kubernetes.ts';
import type { StateDirectory } from '../embedded/state-directory.ts';

export interface ProgressParts {
  readonly kubernetes: LocalKubernetes;
  readonly state: StateDirectory;
  readonly console: Console;
  readonly startedMs: number;
}

const LOCAL_ADDRESS = 'tonearm.dev/local-address';
const CLUSTERS = { group: 'tonearm.dev', version: 'v1alpha1', plural: 'clusters' };
const SERVICES = { group: '', version: 'v1', plural: 'services' };
/** Bursts of changes become one look. */
const SETTLE_MS = 20;
/** One line of a terminal; the whole message is in `tonearm status`. */
const MESSAGE_LENGTH_MAX = 90;
/** A start takes seconds; whoever waits this long wants to know where to look. */
const PATIENCE_MS = 30_000;

export class ClusterProgress {
  readonly #parts: ProgressParts;
  readonly #said = new Map<string, string>();
  #subscription: { close(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #hasShownAddresses = false;

  constructor(parts: ProgressParts) {
    this.#parts = parts;
  }

  begin(): void {
    const { console, kubernetes, state } = this.#parts;
    console.line(`Kubernetes API on ${kubernetes.url}, state in ${relative(state.root)}`);
    this.#subscription = kubernetes.store.onChange(() => {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, SETTLE_MS);
    });
    this.#patience = setTimeout(() => {
      this.#adviseWaiting();
    }, PATIENCE_MS);
    this.#look();
  }

  end(): void {
    clearTimeout(this.#patience);
    this.#subscription?.close();
    clearTimeout(this.#timer);
  }

  #look(): void {
    const clusters = this.#list(CLUSTERS);
    for (const cluster of clusters) this.#sayState(cluster);
    if (this.#hasShownAddresses || clusters.length === 0) return;
    const addresses = this.#addresses();
    const isComplete = clusters.every(
      (cluster) => isReady(cluster) && hasAddress(cluster, addresses),
    );
    if (!isComplete) return;
    this.#hasShownAddresses = true;
    this.#sayAddresses(addresses);
  }

  #adviseWaiting(): void {
    const { console, state } = this.#parts;
    if (this.#hasShownAddresses || this.#list(CLUSTERS).length === 0) return;
    console.line(`  not ready yet: see "tonearm status", and the logs in ${relative(state.logs)}`);
  }

  #sayState(cluster: KubernetesObject): void {
    const { name } = cluster.metadata;
    const condition = readyCondition(cluster);
    const reason = textAt(condition, 'reason');
    // A message changes with every instance that comes up; the reason changes with the step.
    if (reason === '' || this.#said.get(name) === reason) return;
    this.#said.set(name, reason);
    const { console, startedMs } = this.#parts;
    const text = isReady(cluster) ? 'ready' : shortened(textAt(condition, 'message'));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.line(`  ${console.dim(`${seconds} s`)}  ${name}: ${text}`);
  }

  #sayAddresses(addresses: readonly Address[]): void {
    const { console, state } = this.#parts;
    const kubeconfig = `export KUBECONFIG="${relative(state.kubeconfigFile)}"`;
    const rows = [
      ...addresses
        .filter(({ port }) => port === 'http')
        .map(({ service, address }) => [service, `http://${address}`]),
      ['kubectl', kubeconfig],
      ['logs', relative(state.logs)],
    ];
    console.line();
    for (const line of renderTable(rows)) console.line(`  ${line}`);
    console.line();
    console.line('Ctrl-C stops everything; the data stays.');
  }

  #addresses(): Address[] {
    return this.#list(SERVICES).flatMap((service) => {
      const text = service.metadata.annotations?.[LOCAL_ADDRESS] ?? '';
      const cluster = service.metadata.labels?.['tonearm.dev/cluster'] ?? '';
      const pairs = text.split(',').filter((pair) => pair !== '');
      return pairs.map((pair) => {
        const [port = '', address = ''] = pair.split('=');
        return { cluster, service: service.metadata.name, port, address };
      });
    });
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

function shortened(message: string): string {
  return message.length <= MESSAGE_LENGTH_MAX
    ? message
    : `${message.slice(0, MESSAGE_LENGTH_MAX - 1)}…`;
}

function hasAddress(cluster: KubernetesObject, addresses: readonly Address[]): boolean {
  return addresses.some((address) => address.cluster === cluster.metadata.name);
}

function isReady(cluster: KubernetesObject): boolean {
  return textAt(readyCondition(cluster), 'status') === 'True';
}

function readyCondition(cluster: KubernetesObject): unknown {
  return listAt(cluster, 'status', 'conditions').find(
    (condition) => textAt(condition, 'type') === 'Ready',
  );
}

function relative(file: string): string {
  const short = path.relative(process.cwd(), file);
  return short.startsWith('..') ? file : short === '' ? '.' : short;
}
