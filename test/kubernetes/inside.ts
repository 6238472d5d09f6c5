/**
 * Started by enter.ts inside the outer namespaces: makes the cluster, then runs the command beside it.
 * It stops nothing: when it ends, the namespaces end, and with them every process.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { prepareNode, waitUntilUsable } from './box/cluster-nodes.ts';
import { makeBridge, startControlPlane } from './box/control-plane.ts';
import { hostAddress, kubeconfigOf, type Layout, nodeAddresses } from './box/layout.ts';
import { joinNode } from './box/node.ts';
import { run } from './box/processes.ts';

const [nodeCount = '1', startedAt = '', program = '', ...args] = process.argv.slice(2);
const layout = JSON.parse(process.env['TONEARM_KUBERNETES_BOX'] ?? '') as Layout;

await useClusterDns();
await startCluster(Number(nodeCount));
const child = spawn(program, args, {
  stdio: 'inherit',
  env: {
    ...process.env,
    KUBECONFIG: kubeconfigOf(layout, 'admin'),
    PATH: `${layout.binaries}${path.delimiter}${process.env['PATH'] ?? ''}`,
  },
});
child.on('exit', (code) => {
  process.exit(code ?? 1);
});
child.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exit(127);
});

/** Names of pods and services resolve in the tests as they do in a pod of the namespace `default`. */
async function useClusterDns(): Promise<void> {
  const file = path.join(layout.run, 'resolv.conf');
  const search = 'default.svc.cluster.local svc.cluster.local cluster.local';
  writeFileSync(file, `nameserver ${hostAddress}\nsearch ${search}\noptions ndots:5\n`);
  await run('mount', ['--bind', file, '/etc/resolv.conf']);
}

async function startCluster(count: number): Promise<void> {
  const nodes = Array.from({ length: count }, (_, index) => nodeAddresses(index + 1));
  await makeBridge();
  await Promise.all([
    startControlPlane(layout).then(() => report('control plane ready')),
    ...nodes.map((node) =>
      prepareNode(layout, node).then(() => report(`${node.name}: images loaded`)),
    ),
  ]);
  await Promise.all(
    nodes.map(async (node) => {
      await joinNode(layout, node);
      await waitUntilUsable(layout, node);
      report(`${node.name} ready`);
    }),
  );
}

function report(line: string): void {
  const seconds = ((Date.now() - Number(startedAt)) / 1000).toFixed(1);
  process.stdout.write(`kubernetes ${seconds.padStart(6)} s  ${line}\n`);
}
