/** `tonearm status`: the same tables that `kubectl get tcl,trs,pods` prints, without kubectl. */
import path from 'node:path';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { type Console, renderTable } from '../console.ts';
import { localServer, readLocal } from './local-api.ts';

export interface StatusOptions {
  readonly state: string;
  readonly output: 'table' | 'json';
}

const RESOURCES = [
  { title: 'Clusters', api: '/apis/tonearm.dev/v1alpha1/clusters' },
  { title: 'Replica sets', api: '/apis/tonearm.dev/v1alpha1/replicasets' },
  { title: 'Pods', api: '/api/v1/pods' },
];

const tableSchema = z.object({
  columnDefinitions: z.array(z.object({ name: z.string(), priority: z.number().default(0) })),
  rows: z.array(z.object({ cells: z.array(z.unknown()) })),
});

export async function printStatus(options: StatusOptions, console: Console): Promise<void> {
  const server = localServer(options.state);
  if (server === undefined) {
    throw new CommandError(`nothing runs in ${path.resolve(options.state)}: start "tonearm up"`);
  }
  if (options.output === 'json') {
    const lists = await Promise.all(RESOURCES.map(({ api }) => readLocal(server + api)));
    const [clusters, replicaSets, pods] = lists.map((list) => itemsOf(list));
    console.line(JSON.stringify({ clusters, replicaSets, pods }, undefined, 2));
    return;
  }
  for (const { title, api } of RESOURCES) {
    const table = tableSchema.parse(
      await readLocal(server + api, 'json;as=Table;v=v1;g=meta.k8s.io'),
    );
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

function itemsOf(list: unknown): unknown {
  return z.object({ items: z.array(z.unknown()) }).parse(list).items;
}

function renderCell(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell : JSON.stringify(cell);
}
