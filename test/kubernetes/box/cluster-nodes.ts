/** The nodes of the cluster as the tier uses them: with images loaded, joined, and ready for pods. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Image } from '../images/image-store.ts';
import { ImageStore } from '../images/image-store.ts';
import { kubectl } from './control-plane.ts';
import type { Layout, NodeAddresses } from './layout.ts';
import { ctr, runInNode, startNodeRuntime } from './node.ts';
import { waitUntil } from './processes.ts';

/** Everything of a node that needs no control plane: both can start at the same time. */
export async function prepareNode(layout: Layout, node: NodeAddresses): Promise<void> {
  await startNodeRuntime(layout, node);
  await loadImages(layout, node);
}

/** Loads the images of the run which the node does not have with this content already. */
export async function loadImages(layout: Layout, node: NodeAddresses): Promise<void> {
  const file = path.join(layout.run, 'images.json');
  const images = JSON.parse(readFileSync(file, 'utf8')) as readonly Image[];
  const present = new Map(
    (await ctr(layout, node, ['images', 'ls']))
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([name = '', , digest = '']) => [name, digest]),
  );
  const wanted = images.filter((image) => present.get(image.name) !== image.manifest.digest);
  if (wanted.length === 0) return;
  const scratch = path.join(layout.run, node.name, 'index');
  const archive = new ImageStore(layout.images).archiveCommand(wanted, scratch);
  const importer = 'ctr -a /run/containerd/containerd.sock -n k8s.io images import -';
  await runInNode(layout, node, [
    'bash',
    '-ec',
    `set -o pipefail; "$@" | ${importer}`,
    'bash',
    ...archive,
  ]);
}

export async function waitUntilUsable(layout: Layout, node: NodeAddresses): Promise<void> {
  const status = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  await waitUntil(
    `node ${node.name} to be ready`,
    async () => (await kubectl(layout, ['get', 'node', node.name, '-o', status])) === 'True',
    60_000,
  );
  await waitUntil(
    'the default service account',
    async () => (await kubectl(layout, ['get', 'serviceaccount', 'default', '-o', 'name'])) !== '',
    30_000,
  );
}
