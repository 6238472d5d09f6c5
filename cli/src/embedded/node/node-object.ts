/** The machine itself as Kubernetes shows it: `kubectl get nodes` lists this one. */
import { arch, availableParallelism, platform, release, totalmem } from 'node:os';
import { NODES, type NodeApi } from './node-api.ts';

export const NODE_NAME = 'laptop';

/** Names that Go gives to what Node calls otherwise: node labels carry them. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
const PODS_MAX = 110;

export interface NodeFacts {
  readonly now: string;
  /** Of the API, which a kubelet would have too. */
  readonly version: string;
}

/** Makes the node, or says of the one of an earlier run that it is ready again. */
export function registerNode(api: NodeApi, facts: NodeFacts): void {
  const name = { namespace: '', name: NODE_NAME };
  const labels = {
    'kubernetes.io/hostname': NODE_NAME,
    'kubernetes.io/os': platform(),
    'kubernetes.io/arch': architecture(),
  };
  api.create(NODES, { metadata: { ...name, labels }, spec: {} });
  api.patch(NODES, name, { subresource: 'status', body: { status: buildStatus(facts) } });
}

function buildStatus({ now, version }: NodeFacts): object {
  const resources = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(PODS_MAX),
  };
  return {
    capacity: resources,
    allocatable: resources,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'EmbeddedNodeReady',
        message: 'pods run as processes of this machine',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: NODE_NAME },
    ],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: release(),
      osImage: platform(),
      containerRuntimeVersion: `node://${process.versions.node}`,
      kubeletVersion: version,
      kubeProxyVersion: '',
      operatingSystem: platform(),
      architecture: architecture(),
    },
  };
}

function architecture(): string {
  return GO_ARCHITECTURES[arch()] ?? arch();
}
