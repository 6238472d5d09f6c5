/**
 * Runs scenarios of the simulation.
 *
 *     npm run simulate -- --scenario=config --seed=17          replays one seed and prints its trace
 *     npm run simulate -- --scenario=config --runs=5000        runs seeds 1 to 5000
 *     npm run simulate -- --scenario=config --from=7 --runs=9  runs seeds 7 to 15
 *     npm run simulate -- --hours=8                            runs all scenarios for that long, from a seed of the clock
 */
import { parseArgs } from 'node:util';
import { runSeeds, type Scenario, type ScenarioRun } from './scenario.ts';
import { scenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    runs: { type: 'string', default: '200' },
    hours: { type: 'string' },
  },
});

const BATCH = 50;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} is a number, not "${text}"\n`);
  process.exit(2);
}

function chooseScenarios(name: string | undefined): readonly Scenario[] {
  const chosen = scenarios.filter((scenario) => name === undefined || scenario.name === name);
  if (chosen.length > 0) return chosen;
  const names = scenarios.map((scenario) => scenario.name).join(', ');
  process.stderr.write(`--scenario is one of ${names}, not "${name ?? ''}"\n`);
  process.exit(2);
}

async function replay(scenario: Scenario, seed: number): Promise<boolean> {
  const run = await scenario.run(seed);
  for (const line of run.trace) print(line);
  for (const violation of run.violations) print(`VIOLATION ${violation}`);
  print(`${scenario.name} seed ${seed}: ${run.violations.length} violations`);
  return run.violations.length === 0;
}

async function runBatch(scenario: Scenario, from: number, count: number): Promise<boolean> {
  // At once, so that a run that is stopped has told what it found.
  const onRun = (seed: number, { violations }: ScenarioRun): void => {
    if (violations.length === 0) return;
    print(`${scenario.name} seed ${seed}: ${violations[0] ?? ''}`);
    print(`  replay: npm run simulate -- --scenario=${scenario.name} --seed=${seed}`);
  };
  const { failed, counts } = await runSeeds(scenario, from, count, { onRun });
  print(`${scenario.name} seeds ${from}-${from + count - 1}: ${JSON.stringify(counts)}`);
  return failed.length === 0;
}

async function runForHours(chosen: readonly Scenario[], hours: number): Promise<boolean> {
  const end = performance.now() + hours * 3_600_000;
  let isRight = true;
  for (let from = Date.now() % 1_000_000_000; performance.now() < end; from += BATCH) {
    for (const scenario of chosen) isRight = (await runBatch(scenario, from, BATCH)) && isRight;
  }
  return isRight;
}

/** In batches, so that a run that is stopped has told how far it came. */
async function runRange(scenario: Scenario, from: number, count: number): Promise<boolean> {
  let isRight = true;
  for (let next = from; next < from + count; next += BATCH) {
    isRight = (await runBatch(scenario, next, Math.min(BATCH, from + count - next))) && isRight;
  }
  return isRight;
}

async function main(): Promise<boolean> {
  const chosen = chooseScenarios(values.scenario);
  if (values.hours !== undefined) return runForHours(chosen, readNumber('hours', values.hours));
  let isRight = true;
  for (const scenario of chosen) {
    const isScenarioRight =
      values.seed === undefined
        ? await runRange(scenario, readNumber('from', values.from), readNumber('runs', values.runs))
        : await replay(scenario, readNumber('seed', values.seed));
    isRight = isScenarioRight && isRight;
  }
  return isRight;
}

process.exitCode = (await main()) ? 0 : 1;
