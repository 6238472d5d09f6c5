/**
 * One node of the cluster: network, mount, pid, host name and IPC namespaces of its own around containerd,
 * the kubelet and kube-proxy.
 *
 * Ending its first process is a power cut: every process, mount, shim and firewall rule of the node goes
 * with the namespaces. Its files stay, as a disk would, so the node can be started again.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeNodeCgroups, sweepCgroups } from './cgroups.ts';
import {
  binary,
  bridge,
  cgroupName,
  hostAddress,
  kubeconfigOf,
  type Layout,
  logOf,
  type NodeAddresses,
  podRange,
  record,
  recorded,
  serviceRange,
} from './layout.ts';
import { containerdConfig, kubeletConfig, networkConfig, proxyConfig } from './node-config.ts';
import { makeNodeCertificate } from './pki.ts';
import {
  endProcess,
  identify,
  type ProcessIdentity,
  run,
  startDaemon,
  waitUntil,
} from './processes.ts';

const containerdSocket = '/run/containerd/containerd.sock';
const daemons = ['kubelet', 'kube-proxy', 'containerd'] as const;

/**
 * What the kubelet sets for the whole machine when it finds something else. The node shows it these values
 * in files of its own, so the machine's settings are never touched.
 */
const kernelSettings: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

/** Makes the namespaces and starts containerd; images can be loaded from then on. */
export async function startNodeRuntime(layout: Layout, node: NodeAddresses): Promise<void> {
  const folder = nodeFolder(layout, node);
  for (const name of ['cni', 'containerd', 'kubelet', 'settings']) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  mkdirSync(path.join(layout.logs, 'pods', node.name), { recursive: true });
  await sweepCgroups(path.join(cgroupName, node.name));
  makeNodeCgroups(path.join(cgroupName, node.name));
  await startNamespaces(layout, node);
  await connect(layout, node);
  writeFileSync(path.join(folder, 'containerd.toml'), containerdConfig(folder));
  writeFileSync(path.join(folder, 'cni', '10-box.conflist'), networkConfig(folder, node));
  await startContainerd(layout, node);
}

/** Starts the kubelet and kube-proxy; the control plane must be up. */
export async function joinNode(layout: Layout, node: NodeAddresses): Promise<void> {
  const folder = nodeFolder(layout, node);
  if (!existsSync(kubeconfigOf(layout, node.name))) await makeNodeCertificate(layout, node);
  const pods = path.join(layout.logs, 'pods', node.name);
  writeFileSync(
    path.join(folder, 'kubelet.json'),
    JSON.stringify(kubeletConfig(layout, node, { folder, logs: pods })),
  );
  writeFileSync(path.join(folder, 'proxy.json'), JSON.stringify(proxyConfig(layout, node)));
  startKubelet(layout, node);
}

/** Starts the daemons of a node that was up before, after a crash of them. */
export async function startDaemons(layout: Layout, node: NodeAddresses): Promise<void> {
  await startContainerd(layout, node);
  startKubelet(layout, node);
}

/** A crash of the machine: all its processes at once, without a word. */
export async function cutPower(layout: Layout, node: NodeAddresses): Promise<void> {
  await endProcess(initOf(layout, node), 'SIGKILL');
}

/** A crash of the node's daemons; the pods go on running. */
export async function killDaemons(layout: Layout, node: NodeAddresses): Promise<void> {
  for (const daemon of daemons) {
    const pid = readFileSync(pidFile(layout, node, daemon), 'utf8').trim();
    await runInNode(layout, node, ['bash', '-c', `kill -KILL ${pid}`]);
    await waitUntil(
      `${daemon} of ${node.name} to be gone`,
      async () =>
        (await runInNode(layout, node, ['sh', '-c', `[ -d /proc/${pid} ] || echo gone`])) !== '',
      10_000,
    );
  }
}

/** Runs a command with the node's processes, files and network around it. */
export async function runInNode(
  layout: Layout,
  node: NodeAddresses,
  command: readonly string[],
): Promise<string> {
  return run('nsenter', [...nodeNamespaces(layout, node), '--', ...command]);
}

export async function ctr(
  layout: Layout,
  node: NodeAddresses,
  args: readonly string[],
): Promise<string> {
  return runInNode(layout, node, ['ctr', '-a', containerdSocket, '-n', 'k8s.io', ...args]);
}

function nodeFolder(layout: Layout, node: NodeAddresses): string {
  return path.join(layout.run, node.name);
}

function pidFile(layout: Layout, node: NodeAddresses, daemon: string): string {
  return path.join(nodeFolder(layout, node), `${daemon}.pid`);
}

async function startNamespaces(layout: Layout, node: NodeAddresses): Promise<void> {
  const folder = nodeFolder(layout, node);
  const ready = path.join(folder, 'ready');
  const settings = Object.entries(kernelSettings).map(([name, value]) => {
    const file = path.join(folder, 'settings', name.replaceAll('/', '.'));
    writeFileSync(file, `${value}\n`);
    return `mount --bind '${file}' /proc/sys/${name}`;
  });
  const script = [
    'set -e',
    'mount --make-rshared /',
    'for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs $folder; done',
    'mkdir -p /run/netns /run/lock',
    ...settings,
    `touch '${ready}'`,
    // The shell goes on as the node's first process: it reaps what containers leave behind.
    "trap 'exit 0' TERM",
    'while :; do sleep 3600 & wait $!; done',
  ];
  rmSync(ready, { force: true });
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--propagation', 'private'];
  const log = logOf(layout, `${node.name}-init`);
  const parent = startDaemon(
    [
      ...['unshare', ...namespaces, '--fork', '--kill-child', '--mount-proc'],
      ...['bash', '-c', script.join('\n')],
    ],
    log,
  );
  await waitUntil(`the namespaces of ${node.name}`, () => existsSync(ready), 10_000);
  const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8');
  const init = identify(Number(children.trim().split(' ')[0]));
  if (init === undefined) {
    throw new Error(`${node.name} ended at once: ${readFileSync(log, 'utf8')}`);
  }
  record(layout, `${node.name}-init`, init);
}

function initOf(layout: Layout, node: NodeAddresses): ProcessIdentity {
  const init = recorded(layout, `${node.name}-init`) as ProcessIdentity | undefined;
  if (init === undefined) throw new Error(`${node.name} was never started`);
  return init;
}

function nodeNamespaces(layout: Layout, node: NodeAddresses): readonly string[] {
  return ['-t', String(initOf(layout, node).pid), '-n', '-m', '-p', '-u', '-i'];
}

async function startContainerd(layout: Layout, node: NodeAddresses): Promise<void> {
  const config = path.join(nodeFolder(layout, node), 'containerd.toml');
  startInNode(layout, node, 'containerd', ['containerd', '--config', config]);
  await waitUntil(
    `containerd of ${node.name}`,
    async () => {
      await ctr(layout, node, ['version']);
      return true;
    },
    20_000,
  );
}

function startKubelet(layout: Layout, node: NodeAddresses): void {
  const folder = nodeFolder(layout, node);
  startInNode(layout, node, 'kubelet', [
    binary(layout, 'kubelet'),
    ...[`--config=${path.join(folder, 'kubelet.json')}`, `--root-dir=${folder}/kubelet`],
    ...[`--kubeconfig=${kubeconfigOf(layout, node.name)}`, `--cert-dir=${folder}/kubelet/pki`],
    ...[`--hostname-override=${node.name}`, `--node-ip=${node.address}`],
  ]);
  startInNode(layout, node, 'kube-proxy', [
    binary(layout, 'kube-proxy'),
    `--config=${path.join(folder, 'proxy.json')}`,
  ]);
}

function startInNode(
  layout: Layout,
  node: NodeAddresses,
  daemon: string,
  command: readonly string[],
): void {
  // The shell's pid is the daemon's, as the node counts: that of nsenter would be another process's.
  const keepPid = 'echo $$ >"$0"; exec "$@"';
  startDaemon(
    [
      ...['nsenter', ...nodeNamespaces(layout, node), '--'],
      ...['sh', '-c', keepPid, pidFile(layout, node, daemon), ...command],
    ],
    logOf(layout, `${node.name}-${daemon}`),
  );
}

/**
 * A cable from the node to the bridge, and the routes: the node reaches other nodes' pods through the host,
 * the host reaches the service range through the first node. There is no default route, so nothing in the
 * cluster can send a packet off the machine.
 */
async function connect(layout: Layout, node: NodeAddresses): Promise<void> {
  const cable = `${bridge}-${node.name}`;
  const init = initOf(layout, node).pid;
  const outside = [
    `ip link delete ${cable} 2>/dev/null || true`,
    `ip link add ${cable} type veth peer name eth0 address ${node.mac} netns ${init}`,
    `ip link set ${cable} master ${bridge} up`,
    `ip route replace ${node.podRange} via ${node.address}`,
    node.index === 1 ? `ip route replace ${serviceRange} via ${node.address}` : '',
  ];
  const inside = [
    `hostname ${node.name}`,
    'ip link set lo up',
    `ip address add ${node.address}/24 dev eth0`,
    'ip link set eth0 up',
    `ip route replace ${podRange} via ${hostAddress}`,
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    // Absent without the module br_netfilter; then kube-proxy sees bridged packets anyway or not at all.
    'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables || true',
  ];
  await run('sh', ['-ec', outside.join('\n')]);
  await runInNode(layout, node, ['sh', '-ec', inside.join('\n')]);
}
