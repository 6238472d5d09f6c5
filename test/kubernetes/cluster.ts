/**
 * The cluster as tests see it. It is there before the first test and serves all files of the tier, so every
 * file works in namespaces of its own.
 *
 * `node` is what only a cluster made by the tier can do: its pods and services are routable from the tests,
 * and processes can be killed from below Kubernetes. A cluster that the user gave has none of it.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { stringify } from 'yaml';
import { binary, type Layout } from './box/layout.ts';
import { run, waitUntil } from './box/processes.ts';
import { type BoxNodes, boxNodes } from './box-nodes.ts';
import { type ImageRole, imageNames } from './images.ts';

export interface Kubernetes {
  readonly kubeconfig: string;
  readonly images: Readonly<Record<ImageRole, string>>;
  /** What reaches below Kubernetes; undefined with a cluster of the user's. */
  readonly nodes: BoxNodes | undefined;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  helm(args: readonly string[]): Promise<string>;
  /** The object as it is now, or undefined when there is none. */
  get<T = KubernetesObject>(reference: ObjectReference): Promise<T | undefined>;
  /** Applies objects, or a manifest as text. */
  apply(manifest: string | readonly object[], namespace?: string): Promise<void>;
  /** Runs etcdctl inside a pod of the etcd image. */
  etcdctl(pod: PodReference, args: readonly string[]): Promise<string>;
  /** A new namespace; the second value removes it, without waiting for the end of what it holds. */
  makeNamespace(purpose: string): Promise<readonly [string, () => Promise<void>]>;
  waitUntil(
    awaited: string,
    condition: () => Promise<boolean> | boolean,
    deadlineMs?: number,
  ): Promise<void>;
}

export interface PodReference {
  readonly namespace: string;
  readonly pod: string;
}

export interface ObjectReference {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** The parts of any object that tests of the harness read. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface Pod extends KubernetesObject {
  readonly status: {
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
}

/** Connects to the cluster that this process was started beside. */
export function withKubernetes(): Kubernetes {
  const kubeconfig = process.env['KUBECONFIG'];
  const box = process.env['TONEARM_KUBERNETES_BOX'];
  const registry = box === undefined ? process.env['TONEARM_TEST_IMAGE_REGISTRY'] : 'localhost';
  if (kubeconfig === undefined || registry === undefined) {
    throw new Error(
      'no cluster: run `npm run test:kubernetes`, or name a cluster in KUBECONFIG and the registry of its ' +
        'images in TONEARM_TEST_IMAGE_REGISTRY',
    );
  }
  const layout = box === undefined ? undefined : (JSON.parse(box) as Layout);
  return connect(kubeconfig, registry, layout);
}

/** Whether all containers of the pod are ready. */
export function isReady(pod: Pod | undefined): boolean {
  return (
    pod?.status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false
  );
}

function connect(kubeconfig: string, registry: string, layout: Layout | undefined): Kubernetes {
  // With a cluster of the user's, the commands are the user's too.
  const command = (name: string): string => (layout === undefined ? name : binary(layout, name));
  const kubectl: Kubernetes['kubectl'] = async (args, input) =>
    run(command('kubectl'), args, {
      env: { KUBECONFIG: kubeconfig },
      deadlineMs: 120_000,
      ...(input === undefined ? {} : { input }),
    });
  const get = async <T>(reference: ObjectReference): Promise<T | undefined> => {
    const { kind, name, namespace = 'default' } = reference;
    const args = ['get', kind, name, '-n', namespace, '-o', 'json', '--ignore-not-found'];
    const found = await kubectl(args);
    return found === '' ? undefined : (JSON.parse(found) as T);
  };
  return {
    kubeconfig,
    images: imageNames(registry),
    nodes: layout === undefined ? undefined : boxNodes(layout, get),
    kubectl,
    helm: async (args) =>
      run(command('helm'), args, {
        env: { KUBECONFIG: kubeconfig, ...helmFolders(layout) },
        deadlineMs: 300_000,
      }),
    get,
    apply: async (manifest, namespace = 'default') => {
      const text =
        typeof manifest === 'string'
          ? manifest
          : manifest.map((object) => stringify(object)).join('---\n');
      await kubectl(['apply', '-n', namespace, '-f', '-'], text);
    },
    etcdctl: async ({ namespace, pod }, args) =>
      kubectl(['exec', '-n', namespace, pod, '--', 'etcdctl', ...args]),
    makeNamespace: async (purpose) => {
      const name = `${purpose}-${randomBytes(3).toString('hex')}`;
      await kubectl(['create', 'namespace', name]);
      return [
        name,
        async () => {
          await kubectl(['delete', 'namespace', name, '--wait=false', '--ignore-not-found']);
        },
      ];
    },
    waitUntil: async (awaited, condition, deadlineMs = 60_000) =>
      waitUntil(awaited, condition, deadlineMs),
  };
}

/** Helm keeps no state of this run in the user's home. */
function helmFolders(layout: Layout | undefined): Readonly<Record<string, string>> {
  if (layout === undefined) return {};
  return {
    HELM_CACHE_HOME: path.join(layout.run, 'helm', 'cache'),
    HELM_CONFIG_HOME: path.join(layout.run, 'helm', 'config'),
    HELM_DATA_HOME: path.join(layout.run, 'helm', 'data'),
  };
}
