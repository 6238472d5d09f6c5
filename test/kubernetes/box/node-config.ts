/** The configuration files of a node's daemons. Each setting that surprises says what goes wrong without. */
import {
  cgroupName,
  hostAddress,
  kubeconfigOf,
  type Layout,
  type NodeAddresses,
  pkiFile,
  podRange,
} from './layout.ts';

export const pauseImage = 'localhost/pause:1';

export function containerdConfig(folder: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE no process may lower its score, and every sandbox would fail.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}

export function networkConfig(folder: string, node: NodeAddresses): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'box',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: `${folder}/addresses`,
          ranges: [[{ subnet: node.podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

export function kubeletConfig(
  layout: Layout,
  node: NodeAddresses,
  folders: { readonly folder: string; readonly logs: string },
): unknown {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pkiFile(layout, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pkiFile(layout, `${node.name}.crt`),
    tlsPrivateKeyFile: pkiFile(layout, `${node.name}.key`),
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    // Otherwise pods land in the machine's root, and two nodes collide.
    cgroupRoot: `/${cgroupName}/${node.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    clusterDNS: [hostAddress],
    clusterDomain: 'cluster.local',
    podLogsDir: folders.logs,
    volumePluginDir: `${folders.folder}/kubelet/plugins-exec`,
    resolvConf: '',
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
    },
    // An image that was collected could not be pulled again: there is no registry.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '4s',
    maxPods: 60,
    logging: { verbosity: 2 },
  };
}

export function proxyConfig(layout: Layout, node: NodeAddresses): unknown {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig: kubeconfigOf(layout, 'proxy') },
    clusterCIDR: podRange,
    hostnameOverride: node.name,
    oomScoreAdj: 0,
    // These limits belong to the machine: setting them fails inside a network namespace, and ends the proxy.
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: '0s',
      tcpCloseWaitTimeout: '0s',
    },
  };
}
