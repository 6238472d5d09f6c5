/**
 * Long rounds of what `npm test` runs briefly: fresh seeds of every scenario of the simulation, every planted bug, and
 * real processes that are killed.
 *
 *     npm run soak                       for an hour
 *     npm run soak -- --minutes=480      for a night
 *     npm run soak -- --sample           what CI runs: a few minutes
 *     npm run soak -- --real=crash-write --seed=7   one kind of real rounds, with the faults of a seed
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { plantedBugs } from './simulation/planted-bugs.ts';
import { scenarios } from './simulation/scenarios.ts';
import { type RealSuite, realSuites, runRealSuite } from './soak/real-rounds.ts';
import { type JobResult, jobResultSchema } from './soak/simulation-job.ts';
import { findEtcd } from './support/etcd.ts';

const { values } = parseArgs({
  options: {
    sample: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
    real: { type: 'string' },
    seed: { type: 'string' },
  },
});

/** Of one cycle; a long soak runs cycles until its time is up. */
const seconds = values.sample ? { scenario: 40, real: 25 } : { scenario: 300, real: 300 };
/** A sample is the same each time: what fails it is the change. New seeds are for the long rounds. */
const SAMPLE = { from: 1, most: 60, scenarios: ['config', 'replication', 'cluster'] };
const firstSeed = values.sample ? SAMPLE.from : Date.now() % 1_000_000_000;
let seed = values.seed === undefined ? firstSeed : Number(values.seed);
let passed = 0;
let failed = 0;
let running = new AsyncDisposableStack();

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    void running.disposeAsync().finally(() => process.exit(1));
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function runJob(...args: readonly string[]): Promise<JobResult> {
  const job = path.join(import.meta.dirname, 'soak/simulation-job.ts');
  const child = spawn(process.execPath, ['--conditions=source', job, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${child.exitCode}`);
  return jobResultSchema.parse(JSON.parse(output));
}

async function soakScenario(name: string, from: number): Promise<void> {
  const bounds = values.sample ? [`--most=${SAMPLE.most}`] : [];
  const args = [`--scenario=${name}`, `--from=${from}`, `--seconds=${seconds.scenario}`, ...bounds];
  const result = await runJob(...args);
  passed += result.seeds - result.failed.length;
  failed += result.failed.length;
  print(`${name}: seeds ${from} to ${from + result.seeds - 1}, ${result.failed.length} failed`);
  for (const { seed: one, violation } of result.failed) {
    print(`  ${violation}`);
    print(`  replay: npm run simulate -- --scenario=${name} --seed=${one}`);
  }
}

/** In a sample from seeds that are known to find it soon. */
async function findBug(name: string, from: number): Promise<void> {
  const args = values.sample ? [] : [`--from=${from}`];
  const { seeds, failed: found } = await runJob(`--bug=${name}`, ...args);
  if (found.length > 0) passed += 1;
  else failed += 1;
  const verdict = found.length > 0 ? `found by seed ${found[0]?.seed}` : 'NOT FOUND';
  print(`planted bug, ${name}: ${verdict} (${seeds} seeds)`);
}

async function soakReal(suite: RealSuite, etcdBinary: string | undefined): Promise<void> {
  if (suite.needsEtcd && etcdBinary === undefined) {
    print(`${suite.name}: left out, there is no etcd: install etcd-server, or set ETCD_BIN`);
    return;
  }
  const own = seed++;
  print(`${suite.name}: real processes, seed ${own}`);
  const { violations, counts } = await runRealSuite(suite, {
    ...{ etcdBinary, seed: own, seconds: seconds.real, isSample: values.sample, running },
    tell: (line) => print(`  ${line}`),
  });
  running = new AsyncDisposableStack();
  passed += violations.length === 0 ? (counts['rounds'] ?? 0) : 0;
  failed += violations.length;
  print(`${suite.name}: ${JSON.stringify(counts)}, ${violations.length} failed`);
  for (const violation of violations) print(`  ${violation}`);
  if (violations.length > 0) print(`  again: npm run soak -- --real=${suite.name} --seed=${own}`);
}

/** As many at once as there are processors. */
async function runAll(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const left = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

async function runCycle(suites: readonly RealSuite[]): Promise<void> {
  const from = seed;
  const chosen = scenarios.filter(({ name }) => !values.sample || SAMPLE.scenarios.includes(name));
  // Far enough that the seeds of the next cycle are others.
  seed += 100_000;
  await runAll([
    ...chosen.map(
      ({ name }) =>
        () =>
          soakScenario(name, from),
    ),
    ...plantedBugs.map(
      ({ name }) =>
        () =>
          findBug(name, from),
    ),
  ]);
  await runReal(suites);
}

async function runReal(suites: readonly RealSuite[]): Promise<void> {
  const etcdBinary = findEtcd();
  for (const suite of suites) await soakReal(suite, etcdBinary);
}

async function main(): Promise<void> {
  if (values.real !== undefined) {
    await runReal(realSuites.filter(({ name }) => name === values.real));
    return;
  }
  const untilMs = performance.now() + Number(values.minutes) * 60_000;
  do await runCycle(realSuites);
  while (!values.sample && performance.now() < untilMs);
}

await main();
print(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
