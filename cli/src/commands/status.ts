/** `tonearm status`: the same tables that `kubectl get tcl,trs,pods` prints, without kubectl. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { type Console, renderTable } from '../console.ts';
import { StateDirectory } from '../embedded/state-directory.ts';

export interface StatusOptions {
  readonly state: string;
  readonly output: 'table' | 'json';
}

const RESOURCES = [
  { title: 'Clusters', path: '/apis/tonearm.dev/v1alpha1/clusters' },
  { title: 'Replica sets', path: '/apis/tonearm.dev/v1alpha1/replicasets' },
  { title: 'Pods', path: '/api/v1/pods' },
];

const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string() }) })).min(1),
});

const tableSchema = z.object({
  columnDefinitions: z.array(z.object({ name: z.string(), priority: z.number().default(0) })),
  rows: z.array(z.object({ cells: z.array(z.unknown()) })),
});

export async function printStatus(options: StatusOptions, console: Console): Promise<void> {
  const server = serverOf(new StateDirectory(options.state));
  if (options.output === 'json') {
    const lists = await Promise.all(RESOURCES.map(({ path }) => read(server + path, 'json')));
    const [clusters, replicaSets, pods] = lists.map((list) => itemsOf(list));
    console.line(JSON.stringify({ clusters, replicaSets, pods }, undefined, 2));
    return;
  }
  for (const { title, path } of RESOURCES) {
    const table = tableSchema.parse(await read(server + path, 'json;as=Table;v=v1;g=meta.k8s.io'));
    const shown = table.columnDefinitions.map((column) => column.priority === 0);
    const header = table.columnDefinitions.map((column) => column.name.toUpperCase());
    const rows = table.rows.map((row) => row.cells.map(renderCell));
    const visible = [header, ...rows].map((row) => row.filter((_cell, at) => shown[at]));
    console.line(console.bold(title));
    const lines = rows.length === 0 ? ['none'] : renderTable(visible);
    for (const line of lines) console.line(`  ${line}`);
    console.line();
  }
}

function serverOf(state: StateDirectory): string {
  if (state.runningPid() === undefined || !existsSync(state.kubeconfigFile)) {
    throw new CommandError(`nothing runs in ${state.root}: start "tonearm up"`);
  }
  const config = kubeconfigSchema.parse(parse(readFileSync(state.kubeconfigFile, 'utf8')));
  return config.clusters[0]?.cluster.server ?? '';
}

async function read(url: string, form: string): Promise<unknown> {
  const response = await fetch(url, { headers: { accept: `application/${form}` } });
  if (!response.ok) throw new CommandError(`${url} answers ${response.status}`);
  return response.json();
}

function itemsOf(list: unknown): unknown {
  return z.object({ items: z.array(z.unknown()) }).parse(list).items;
}

function renderCell(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell : JSON.stringify(cell);
}
