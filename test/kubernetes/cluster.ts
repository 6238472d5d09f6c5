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
import { type ImageRole, imageNames } from './images/build-images.ts';
import type { KubernetesObject, ObjectReference, Pod, PodReference } from './objects.ts';
import { forward, type Reached, type Target } from './reach.ts';

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
  /** A way to a port of a pod or a service: direct where the tests are in its network, else forwarded. */
  reach(target: Target): Promise<Reached>;
  /** A new namespace; the second value removes it, without waiting for the end of what it holds. */
  makeNamespace(purpose: string): Promise<readonly [string, () => Promise<void>]>;
  waitUntil(
    awaited: string,
    condition: () => Promise<boolean> | boolean,
    deadlineMs?: number,
  ): Promise<void>;
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
    reach: async (target) =>
      layout === undefined
        ? forward(command('kubectl'), kubeconfig, target)
        : { address: await directAddress(get, target), close: async () => undefined },
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

/** A pod by its address: it has a name in the DNS only where a headless service gives it one. */
async function directAddress(get: Kubernetes['get'], target: Target): Promise<string> {
  const [kind = '', name = ''] = target.object.split('/');
  const { namespace, port } = target;
  if (kind === 'service') return `${name}.${namespace}.svc.cluster.local:${port}`;
  const pod = await get<Pod>({ kind, name, namespace });
  if (pod?.status.podIP === undefined) throw new Error(`${target.object} has no address`);
  return `${pod.status.podIP}:${port}`;
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
