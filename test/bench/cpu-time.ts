/** CPU time of a process and all that it has started, from procfs: Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** Its own, and that of children which have ended. */
  readonly cpuMs: number;
  readonly kind: string;
}

/** Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own tick is. */
const TICK_MS = 10;

/** Milliseconds by kind of process; what has ended counts for the process that waited for it. */
export function cpuByKind(root: number): Record<string, number> {
  const processes = readProcesses();
  const inTree = new Set([root]);
  for (let size = 0; size !== inTree.size; ) {
    size = inTree.size;
    for (const { pid, parent } of processes) if (inTree.has(parent)) inTree.add(pid);
  }
  const sums = new Map<string, number>();
  for (const { pid, kind, cpuMs } of processes) {
    if (inTree.has(pid)) sums.set(kind, (sums.get(kind) ?? 0) + cpuMs);
  }
  return Object.fromEntries([...sums].toSorted(([a], [b]) => a.localeCompare(b)));
}

export function total(cpu: Readonly<Record<string, number>>): number {
  return Object.values(cpu).reduce((sum, ms) => sum + ms, 0);
}

function readProcesses(): readonly ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

function readProcess(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ');
    // The second field is the command in brackets and may hold anything; the state, the third, is the first here.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid, parent: Number(fields[1]), cpuMs: ticks * TICK_MS, kind: kindOf(command) };
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

function kindOf(command: string): string {
  const kinds = [
    [/launcher\/main\.(ts|js) /, 'launchers'],
    [/stateboard\/main\.(ts|js) /, 'stateboard'],
    [/watchdog\.(ts|js)/, 'watchdog'],
    [/cli\/src\/main\.ts /, 'npm, run.mjs, tonearm up'],
    [/employees\/main\.(ts|js)/, 'instances'],
  ] as const;
  return kinds.find(([pattern]) => pattern.test(command))?.[1] ?? 'npm, shells';
}
