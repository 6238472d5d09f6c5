/**
 * Starts the control plane inside the outer network namespace: a bridge for the nodes, etcd, the API
 * server, controllers, scheduler, DNS and the provisioner of volumes, each a process of its own.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { baseObjects } from './base-objects.ts';
import {
  binary,
  bridge,
  etcdAddress,
  hostAddress,
  kubeconfigOf,
  type Layout,
  logOf,
  pkiFile,
  record,
  recorded,
  serviceRange,
} from './layout.ts';
import { makeCertificates } from './pki.ts';
import {
  endProcess,
  isAlive,
  type ProcessIdentity,
  run,
  startDaemon,
  waitUntil,
} from './processes.ts';

export async function startControlPlane(layout: Layout): Promise<void> {
  mkdirSync(path.join(layout.run, 'volumes'), { recursive: true });
  mkdirSync(layout.logs, { recursive: true });
  await makeCertificates(layout);
  start(layout, 'etcd', etcdFlags(layout));
  await startApiServer(layout);
  // Only now: the controller manager exits when it may not yet read its authentication config map.
  start(layout, 'kube-controller-manager', controllerManagerFlags(layout));
  start(layout, 'kube-scheduler', componentFlags(layout, 'scheduler'));
  await kubectl(layout, ['apply', '-f', '-'], JSON.stringify(baseObjects()));
  const corefile = path.join(layout.run, 'Corefile');
  writeFileSync(corefile, coreDnsConfig(layout));
  start(layout, 'coredns', ['-conf', corefile]);
  const volumes = path.join(layout.run, 'volumes');
  start(layout, 'provisioner', ['--kubeconfig', kubeconfigOf(layout, 'admin'), '--root', volumes]);
}

/** Kills the API server, which is what its clients must survive, and starts it again. */
export async function restartApiServer(layout: Layout): Promise<void> {
  const server = recorded(layout, 'kube-apiserver') as ProcessIdentity | undefined;
  if (server !== undefined) await endProcess(server, 'SIGKILL');
  await startApiServer(layout);
}

export async function kubectl(
  layout: Layout,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return run(binary(layout, 'kubectl'), ['--kubeconfig', kubeconfigOf(layout, 'admin'), ...args], {
    ...(input === undefined ? {} : { input }),
  });
}

/** The bridge joins the nodes; the outer namespace routes between their pods, and never redirects. */
export async function makeBridge(): Promise<void> {
  const commands = [
    'ip link set lo up',
    `ip link add ${bridge} type bridge`,
    `ip address add ${hostAddress}/24 dev ${bridge}`,
    'echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects',
    `echo 0 >/proc/sys/net/ipv4/conf/${bridge}/send_redirects`,
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    `ip link set ${bridge} up`,
  ];
  await run('sh', ['-ec', commands.join('\n')]);
}

async function startApiServer(layout: Layout): Promise<void> {
  const server = start(layout, 'kube-apiserver', apiServerFlags(layout));
  await waitUntil('the API server to be ready', () => isReady(layout, server), 60_000);
}

function start(layout: Layout, command: string, flags: readonly string[]): ProcessIdentity {
  const identity = startDaemon([binary(layout, command), ...flags], logOf(layout, command));
  record(layout, command, identity);
  return identity;
}

async function isReady(layout: Layout, server: ProcessIdentity): Promise<boolean> {
  if (!isAlive(server)) {
    const log = readFileSync(logOf(layout, 'kube-apiserver'), 'utf8');
    throw new Error(`the API server has ended: ${log.slice(-2000)}`);
  }
  await kubectl(layout, ['get', '--raw', '/readyz', '--request-timeout=2s']);
  return true;
}

function etcdFlags(layout: Layout): readonly string[] {
  const peers = 'http://127.0.0.1:2380';
  return [
    ...['--name=box', `--data-dir=${path.join(layout.run, 'etcd')}`, '--log-level=warn'],
    ...[`--listen-client-urls=${etcdAddress}`, `--advertise-client-urls=${etcdAddress}`],
    ...[`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`],
    `--initial-cluster=box=${peers}`,
    // The cluster does not outlive the machine, so nothing is gained by waiting for the disk.
    '--unsafe-no-fsync',
  ];
}

function apiServerFlags(layout: Layout): readonly string[] {
  const pki = (name: string): string => pkiFile(layout, name);
  return [
    `--etcd-servers=${etcdAddress}`,
    ...[`--bind-address=${hostAddress}`, `--advertise-address=${hostAddress}`],
    '--secure-port=6443',
    `--service-cluster-ip-range=${serviceRange}`,
    ...[`--tls-cert-file=${pki('apiserver.crt')}`, `--client-ca-file=${pki('ca.crt')}`],
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--kubelet-client-certificate=${pki('apiserver-kubelet.crt')}`,
    `--kubelet-client-key=${pki('apiserver-kubelet.key')}`,
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    // The names of nodes are in no DNS; without this exec, logs and port-forward fail.
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    `--requestheader-client-ca-file=${pki('front-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--enable-aggregator-routing=true',
    ...['--authorization-mode=Node,RBAC', '--allow-privileged=true', '--anonymous-auth=true'],
    // Pods leave a dead node after seconds, not after the five minutes of the default.
    '--default-not-ready-toleration-seconds=5',
    '--default-unreachable-toleration-seconds=5',
  ];
}

function controllerManagerFlags(layout: Layout): readonly string[] {
  return [
    ...componentFlags(layout, 'controller-manager'),
    '--use-service-account-credentials',
    // With credentials of their own the controllers start one token request after the other: 4 s at the
    // default rate.
    ...['--kube-api-qps=300', '--kube-api-burst=500'],
    `--service-account-private-key-file=${pkiFile(layout, 'sa.key')}`,
    `--root-ca-file=${pkiFile(layout, 'ca.crt')}`,
    `--cluster-signing-cert-file=${pkiFile(layout, 'ca.crt')}`,
    `--cluster-signing-key-file=${pkiFile(layout, 'ca.key')}`,
    ...['--node-monitor-period=2s', '--node-monitor-grace-period=20s'],
  ];
}

function componentFlags(layout: Layout, user: string): readonly string[] {
  const kubeconfig = kubeconfigOf(layout, user);
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    ...['--bind-address=127.0.0.1', '--leader-elect=false'],
  ];
}

/** Names of the cluster, and for every other name the answer that it does not exist. */
function coreDnsConfig(layout: Layout): string {
  return `cluster.local:53 {
  bind ${hostAddress}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfigOf(layout, 'coredns')}
    pods verified
    ttl 1
  }
}
.:53 {
  bind ${hostAddress}
  ready 127.0.0.1:8181
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}
