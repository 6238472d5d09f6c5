/** What a test can do to the machines of the cluster, and to processes in pods, from below Kubernetes. */

import { loadImages, prepareNode, waitUntilUsable } from './box/cluster-nodes.ts';
import { kubectl, restartApiServer } from './box/control-plane.ts';
import { type Layout, type NodeAddresses, nodeAddresses } from './box/layout.ts';
import { ctr, cutPower, joinNode, killDaemons, runInNode, startDaemons } from './box/node.ts';
import type { ObjectReference, Pod, PodReference } from './objects.ts';

export interface PodProcess {
  /** As the node counts: tests hand it back to `signal`. */
  readonly pid: number;
  readonly command: readonly string[];
}

export interface BoxNodes {
  /** Starts a node, a new one or one whose power was cut, and waits until it is ready. Names are n1, n2, … */
  start(name: string): Promise<void>;
  /** Ends everything on the node at once. */
  cutPower(name: string): Promise<void>;
  /** Ends everything on the node, and lets Kubernetes forget it. */
  remove(name: string): Promise<void>;
  /** Kills and restarts kubelet, kube-proxy and containerd; pods go on running. */
  restartDaemons(name: string): Promise<void>;
  /** Kills the API server and starts it again. */
  restartApiServer(): Promise<void>;
  /** Loads images that were built again since the node got them. */
  loadImages(name: string): Promise<void>;
  /** The processes of a container, the first being its process 1. */
  processes(pod: PodReference, container?: string): Promise<readonly PodProcess[]>;
  /** Signals processes of the container from outside, so that SIGKILL and SIGSTOP reach process 1 too. */
  signal(
    pod: PodReference,
    signal: 'KILL' | 'TERM' | 'STOP' | 'CONT',
    which?: (process: PodProcess, index: number) => boolean,
  ): Promise<readonly PodProcess[]>;
}

type Get = <T>(reference: ObjectReference) => Promise<T | undefined>;

export function boxNodes(layout: Layout, get: Get): BoxNodes {
  const processes: BoxNodes['processes'] = async (pod, container) => {
    const { node, id } = await locate(get, pod, container);
    return processesOf(layout, node, id);
  };
  return {
    start: async (name) => {
      const node = nodeOf(name);
      await prepareNode(layout, node);
      await joinNode(layout, node);
      await waitUntilUsable(layout, node);
    },
    cutPower: async (name) => cutPower(layout, nodeOf(name)),
    remove: async (name) => {
      await cutPower(layout, nodeOf(name));
      await kubectl(layout, ['delete', 'node', name, '--ignore-not-found']);
    },
    restartDaemons: async (name) => {
      await killDaemons(layout, nodeOf(name));
      await startDaemons(layout, nodeOf(name));
    },
    restartApiServer: async () => restartApiServer(layout),
    loadImages: async (name) => loadImages(layout, nodeOf(name)),
    processes,
    signal: async (pod, signal, which = (_, index) => index === 0) => {
      const { node, id } = await locate(get, pod);
      const chosen = (await processesOf(layout, node, id)).filter(which);
      if (chosen.length === 0) throw new Error(`no process of ${pod.pod} was chosen`);
      const pids = chosen.map((each) => String(each.pid));
      await runInNode(layout, node, ['bash', '-c', 'kill "$@"', 'bash', `-${signal}`, ...pids]);
      return chosen;
    },
  };
}

function nodeOf(name: string): NodeAddresses {
  const index = Number(name.replace(/^n/, ''));
  if (!Number.isInteger(index) || index < 1) throw new Error(`nodes are n1, n2, …, not ${name}`);
  return nodeAddresses(index);
}

async function locate(
  get: Get,
  { namespace, pod }: PodReference,
  container?: string,
): Promise<{ readonly node: NodeAddresses; readonly id: string }> {
  const found = await get<Pod>({ kind: 'pod', name: pod, namespace });
  if (found === undefined) throw new Error(`there is no pod ${namespace}/${pod}`);
  const statuses = found.status.containerStatuses ?? [];
  const status = container === undefined ? statuses[0] : statuses.find((s) => s.name === container);
  const id = status?.containerID?.replace('containerd://', '');
  const node = found.spec?.['nodeName'];
  if (id === undefined || typeof node !== 'string') {
    throw new Error(`${namespace}/${pod} has no running container ${container ?? ''}`);
  }
  return { node: nodeOf(node), id };
}

async function processesOf(
  layout: Layout,
  node: NodeAddresses,
  id: string,
): Promise<readonly PodProcess[]> {
  const [, ...lines] = (await ctr(layout, node, ['tasks', 'ps', id])).trim().split('\n');
  const pids = lines.map((line) => Number(line.trim().split(/\s+/)[0])).sort((a, b) => a - b);
  return Promise.all(
    pids.map(async (pid) => {
      const words = await runInNode(layout, node, ['cat', `/proc/${pid}/cmdline`]);
      return { pid, command: words.split('\0').filter((word) => word !== '') };
    }),
  );
}
