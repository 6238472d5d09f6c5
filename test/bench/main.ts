/** `npm run bench`: see `--help`. Results go to stdout, what happens meanwhile to stderr. */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { z } from 'zod';
import { type BenchOptions, help, parseArguments } from './arguments.ts';
import { compareRuns, type EarlierRatio, type SuiteResult } from './comparison.ts';
import { type FailoverReport, runFailover } from './failover.ts';
import { runGrowth } from './growth.ts';
import { installRedis } from './install-redis.ts';
import { runJoin } from './join.ts';
import { type Pause, runPauses } from './pauses.ts';
import {
  renderChanges,
  renderComparisons,
  renderFailover,
  renderIdle,
  renderPauses,
} from './render.ts';
import { runReplication } from './replication.ts';
import { Session } from './session.ts';
import { runStart } from './start.ts';
import { runStorage } from './storage.ts';

interface Described {
  readonly suite: string;
  readonly at: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly options: BenchOptions;
  readonly notes: readonly string[];
}

type Report = Described & SuiteResult;
type FailoverRun = Described & FailoverReport;
type PausesReport = Described & { readonly pauses: readonly Pause[] };

const suites = {
  storage: runStorage,
  growth: runGrowth,
  replication: runReplication,
  join: runJoin,
} as const;

const earlierSchema = z.object({
  comparisons: z.array(z.object({ id: z.string(), ratio: z.number().nullable() })),
});

async function measure(options: BenchOptions, suite: keyof typeof suites): Promise<Report> {
  return withSession(options, suite, (session) => suites[suite](session));
}

async function measurePauses(options: BenchOptions): Promise<PausesReport> {
  return withSession(options, 'pauses', async (session) => ({ pauses: await runPauses(session) }));
}

/** What a suite finds, with what there is to say of the run. */
async function withSession<T extends object>(
  options: BenchOptions,
  suite: string,
  run: (session: Session) => Promise<T>,
): Promise<T & Described> {
  await using session = await Session.start(options);
  endOnSignals(session);
  const at = new Date().toISOString();
  const result = await run(session);
  const machine = {
    processor: cpus()[0]?.model,
    cores: availableParallelism(),
    kernel: release(),
    node: process.version,
    ...session.versions,
  };
  return { suite, at, machine, options, notes: session.notes, ...result };
}

/** No server stays behind when the measurement is given up. */
function endOnSignals(session: Session): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void session[Symbol.asyncDispose]().finally(() => process.exit(1));
    });
  }
}

function print(report: Described, table: string): void {
  const { options, notes } = report;
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (options.json !== undefined) writeFileSync(options.json, json);
  if (options.output === 'json') {
    process.stdout.write(json);
    return;
  }
  process.stdout.write(`\n${table}`);
  for (const note of notes) process.stdout.write(`${note}\n`);
}

function printChanges(report: Report, earlier: readonly EarlierRatio[]): void {
  const { options, comparisons } = report;
  if (options.output === 'json') return;
  const changes = compareRuns(earlier, comparisons);
  const table = renderChanges(changes);
  process.stdout.write(`\n${changes.length === 0 ? 'No ratio is in both runs.\n' : table}`);
}

/** Read before anything is measured: a wrong file should not cost the time of a run. */
function readEarlier(file: string): readonly EarlierRatio[] {
  const parsed = earlierSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data.comparisons;
  throw new Error(`--compare takes a file that --json has written, and ${file} is none`, {
    cause: parsed.error,
  });
}

async function run(options: BenchOptions): Promise<void> {
  if (options.install) installRedis();
  const earlier = options.compare === undefined ? undefined : readEarlier(options.compare);
  if (options.suite === 'start') {
    await runStart(options);
    return;
  }
  if (options.suite === 'pauses') {
    const report = await measurePauses(options);
    print(report, renderPauses(report.pauses));
    return;
  }
  if (options.suite === 'failover') {
    const report: FailoverRun = await withSession(options, 'failover', runFailover);
    const idle = report.idle.length === 0 ? '' : `\n${renderIdle(report.idle)}`;
    print(report, `${renderFailover(report.failover)}${idle}`);
    return;
  }
  const report = await measure(options, options.suite);
  print(report, renderComparisons(report.comparisons));
  if (earlier !== undefined) printChanges(report, earlier);
}

const parsed = parseArguments(process.argv.slice(2));
switch (parsed.kind) {
  case 'help':
    process.stdout.write(help);
    break;
  case 'refused':
    process.stderr.write(`${parsed.message}\n\n${help}`);
    process.exitCode = 2;
    break;
  case 'run':
    await run(parsed.options);
}
