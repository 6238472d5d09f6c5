/** What other workspaces may use of the embedded Kubernetes. */
export { ObjectStore } from './api/object-store.ts';
export {
  type KubernetesApi,
  type KubernetesApiOptions,
  startKubernetesApi,
} from './api/start-kubernetes-api.ts';
export { EmbeddedNode, type EmbeddedNodeOptions, podLogFile } from './node/embedded-node.ts';
export type { ContainerStatus, NodeObject, Pod, StatefulSet } from './node/objects.ts';
export { type Images, type ImageVerdict } from './node/pods/images.ts';
export { readPodLog } from './node/pods/pod-log.ts';
export { LocalPorts } from './node/processes/local-ports.ts';
export { ProcessHost } from './node/processes/process-host.ts';
export { processStartTime } from './node/processes/start-time.ts';
export { StoreNodeApi } from './node/store-node-api.ts';
