/** What the logs of a start tell about when it came how far. */
import { globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Started } from './started.ts';

interface Line {
  readonly time: string;
  readonly msg: string;
  readonly kind?: string;
}

/** Milliseconds since the command. */
export function readTimeline({ state, beganAtMs }: Started): Record<string, number> {
  const own = readLines(path.join(state, 'logs/tonearm.log'));
  const instances = globSync('logs/default/*.log', { cwd: state }).map((file) =>
    path.join(state, file),
  );
  const lines = instances.flatMap(readLines);
  const told = (from: readonly Line[], message: string): number[] =>
    from.filter(({ msg }) => msg === message).map(({ time }) => Date.parse(time));
  const committed = own.filter(({ kind }) => kind === 'committed');
  const marks = {
    'API serves (kubeconfig written)': statSync(path.join(state, 'kubeconfig')).mtimeMs,
    'operator reconciles': Math.min(...told(own, 'reconciling')),
    'first instance is started': Math.min(...instances.map((file) => statSync(file).birthtimeMs)),
    'last instance is started': Math.max(...instances.map((file) => statSync(file).birthtimeMs)),
    'first instance answers': Math.min(...told(lines, 'the instance answers')),
    'last instance answers': Math.max(...told(lines, 'the instance answers')),
    'config committed': Math.min(...told(committed, 'change of the cluster config')),
    'last leader leads': Math.max(...told(lines, 'this instance leads its replica set')),
  };
  return Object.fromEntries(
    Object.entries(marks).map(([name, timeMs]) => [name, timeMs - beganAtMs]),
  );
}

function readLines(file: string): readonly Line[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
}
