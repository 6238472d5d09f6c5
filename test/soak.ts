/**
 * Long rounds of what `npm test` runs briefly: fresh seeds of every scenario of the simulation, every planted bug, and
 * real processes that are killed.
 *
 *     npm run soak                       for an hour
 *     npm run soak -- --minutes=480      for a night
 *     npm run soak -- --sample           what CI runs: a few minutes
 *     npm run soak -- --real=crash-write --seed=7   one kind of real rounds, with the faults of a seed
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type PlantedBug, plantedBugs, SEEDS_FOR_A_BUG } from './simulation/planted-bugs.ts';
import { findBug } from './simulation/scenario.ts';
import { scenarios } from './simulation/scenarios.ts';
import { SeedPool } from './simulation/seed-pool.ts';
import { type RealSuite, realSuites, runRealSuite } from './soak/real-rounds.ts';
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
const seconds = { scenario: 300, real: values.sample ? 25 : 300 };
/** A sample is the same each time: what fails it is the change. New seeds are for the long rounds. */
const firstSeed = values.sample ? 1 : Date.now() % 1_000_000_000;
const pool = new SeedPool({ jobs: availableParallelism() });
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

async function soakScenario(name: string, from: number): Promise<void> {
  const untilMs = performance.now() + seconds.scenario * 1000;
  let next = from;
  let wrong = 0;
  while (performance.now() < untilMs) {
    const task = { subject: name, seed: next++ };
    const [violation] = (await pool.play(task)).violations;
    if (violation === undefined) passed += 1;
    else {
      wrong += 1;
      failed += 1;
      print(`FAILED ${name} seed ${task.seed}: ${violation}`);
      print(`  replay: npm run simulate -- --scenario=${name} --seed=${task.seed}`);
    }
  }
  print(`${name}: seeds ${from} to ${next - 1}, ${wrong} failed`);
}

async function soakBug({ name, finding }: PlantedBug, from: number): Promise<void> {
  const found = await findBug(pool.subject(name), finding, { from, most: SEEDS_FOR_A_BUG });
  if (found === undefined) failed += 1;
  else passed += 1;
  const verdict =
    found === undefined ? `NOT FOUND (${SEEDS_FOR_A_BUG} seeds)` : `found by seed ${found.seed}`;
  print(`planted bug, ${name}: ${verdict}`);
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

/** A sample leaves out the simulation: `npm test` has played its own. */
async function runCycle(suites: readonly RealSuite[]): Promise<void> {
  if (!values.sample) await runSimulation();
  await runReal(suites);
}

async function runSimulation(): Promise<void> {
  const from = seed;
  // Far enough that the seeds of the next cycle are others.
  seed += 100_000;
  await runAll([
    ...scenarios.map(
      ({ name }) =>
        () =>
          soakScenario(name, from),
    ),
    ...plantedBugs.map((bug) => () => soakBug(bug, from)),
  ]);
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
pool.close();
print(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
