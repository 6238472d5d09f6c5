/** `npm run bench`: see `--help`. Results go to stdout, what happens meanwhile to stderr. */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { type BenchOptions, help, parseArguments } from './arguments.ts';
import { type Comparison, compareRuns, type SuiteResult } from './comparison.ts';
import { runGrowth } from './growth.ts';
import { installRedis } from './install-redis.ts';
import { renderChanges, renderComparisons } from './render.ts';
import { runReplication } from './replication.ts';
import { Session } from './session.ts';
import { runStart } from './start.ts';
import { runStorage } from './storage.ts';

interface Report extends SuiteResult {
  readonly suite: string;
  readonly at: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly options: BenchOptions;
  readonly notes: readonly string[];
}

const suites = { storage: runStorage, growth: runGrowth, replication: runReplication } as const;

async function measure(options: BenchOptions, suite: keyof typeof suites): Promise<Report> {
  await using session = await Session.start(options);
  endOnSignals(session);
  const at = new Date().toISOString();
  const result = await suites[suite](session);
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

function print(report: Report): void {
  const { options, comparisons, notes } = report;
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (options.json !== undefined) writeFileSync(options.json, json);
  if (options.output === 'json') {
    process.stdout.write(json);
    return;
  }
  process.stdout.write(`\n${renderComparisons(comparisons)}`);
  for (const note of notes) process.stdout.write(`${note}\n`);
  if (options.compare === undefined) return;
  const earlier = JSON.parse(readFileSync(options.compare, 'utf8')) as {
    readonly comparisons: readonly Comparison[];
  };
  process.stdout.write(`\n${renderChanges(compareRuns(earlier.comparisons, comparisons))}`);
}

async function run(options: BenchOptions): Promise<void> {
  if (options.install) installRedis();
  if (options.suite === 'start') await runStart(options);
  else print(await measure(options, options.suite));
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
