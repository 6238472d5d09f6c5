/**
 * How long `npm start` takes on this machine, from the command to the first write that is accepted:
 * `npm run bench -- start [--rounds=N] [--cold]`.
 *
 * Each run has a state of its own, so that it starts an empty cluster. CPU time is that of all processes together:
 * on a machine that does other things as well it says more than the clock. Warm runs share one cache of compiled code,
 * which a run that is not counted fills; `--cold` gives each run an empty one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions } from './arguments.ts';
import { cpuByKind, total } from './cpu-time.ts';
import { Started } from './started.ts';
import { median } from './statistics.ts';
import { readTimeline } from './timeline.ts';

interface Measured {
  readonly timeline: Readonly<Record<string, number>>;
  readonly cpu: Readonly<Record<string, number>>;
}

export async function runStart({ rounds, cold }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-bench-'));
  const measured: Measured[] = [];
  try {
    if (!cold) await measure(folder, 'warm-up', path.join(folder, 'compiled'));
    for (let run = 0; run < rounds; run++) {
      const cache = cold ? `compiled-${run}` : 'compiled';
      measured.push(await measure(folder, `run-${run}`, path.join(folder, cache)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  print(
    'Seconds since the command: the median (each run)',
    measured.map(({ timeline }) => timeline),
  );
  print(
    'CPU seconds until the first write: the median (each run)',
    measured.map(({ cpu }) => cpu),
  );
}

async function measure(folder: string, name: string, cache: string): Promise<Measured> {
  const started = Started.start(path.join(folder, name), cache);
  try {
    const writtenAtMs = await started.firstWrite();
    const cpu = cpuByKind(started.pid);
    const timeline = { ...readTimeline(started), 'first write': writtenAtMs - started.beganAtMs };
    return { timeline, cpu: { ...cpu, 'all processes': total(cpu) } };
  } finally {
    await started.stop();
  }
}

function print(title: string, rows: readonly Readonly<Record<string, number>>[]): void {
  process.stdout.write(`\n${title}\n`);
  for (const name of new Set(rows.flatMap((row) => Object.keys(row)))) {
    const numbers = rows.map((row) => row[name] ?? Number.NaN);
    const all = numbers.map((ms) => (ms / 1000).toFixed(2).padStart(6)).join(' ');
    const middle = (median(numbers) / 1000).toFixed(2).padStart(6);
    process.stdout.write(`  ${name.padEnd(34)}${middle}   (${all} )\n`);
  }
}
