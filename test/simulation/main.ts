/**
 * Plays scenarios of the simulation.
 *
 *     npm run simulate -- --scenario=config --seed=17          replays one seed and prints its trace
 *     npm run simulate -- --scenario=cluster --seed=17 --shrink  looks for a smaller run that fails in the same way
 *     npm run simulate -- --scenario=cluster --seed=17 --script='…'  plays the script that was found then
 *     npm run simulate -- --scenario=config --runs=5000        runs seeds 1 to 5000
 *     npm run simulate -- --scenario=config --from=7 --runs=9  runs seeds 7 to 15
 *     npm run simulate -- --hours=8 --jobs=2                   runs all scenarios for that long, from a seed of the clock
 *
 * Seeds run in `--jobs` processes. Ends with what failed and how to play it again, and with 1 if anything did.
 */
import { parseArgs } from 'node:util';
import { playNight } from './night.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { SeedPool } from './seed-pool.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seed: { type: 'string' },
    script: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    runs: { type: 'string', default: '200' },
    hours: { type: 'string' },
    jobs: { type: 'string', default: '1' },
  },
});

const SHRINK_RUNS = 400;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
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

async function replay(scenario: Scenario, seed: number, script?: string): Promise<boolean> {
  const run = await scenario.run(seed, script);
  for (const line of run.trace) print(line);
  for (const violation of run.violations) print(`VIOLATION ${violation}`);
  print(`${scenario.name} seed ${seed}: ${run.violations.length} violations`);
  return run.violations.length === 0;
}

async function shrinkRun(scenario: Scenario, seed: number): Promise<boolean> {
  const shrunk = await shrink(scenario, seed, {
    runsMax: SHRINK_RUNS,
    onSmaller: (script) => print(`  ${script.split(';').length - 1} faults: ${script}`),
  });
  if (shrunk === undefined) {
    print(`${scenario.name} seed ${seed}: nothing to shrink, it does not fail or has no script`);
    return (await scenario.run(seed)).violations.length === 0;
  }
  const { script, run, runs } = shrunk;
  print(`after ${runs} runs, with these faults (AT KIND MACHINE FOR SALT):`);
  for (const fault of script.split('; ').slice(1)) print(`  ${fault}`);
  print(`VIOLATION ${run.violations[0] ?? ''}`);
  print(
    `  replay: npm run simulate -- --scenario=${scenario.name} --seed=${seed} --script='${script}'`,
  );
  return false;
}

async function main(): Promise<boolean> {
  const chosen = chooseScenarios(values.scenario);
  const [first] = chosen;
  if (values.seed !== undefined && first !== undefined) {
    const seed = readNumber('seed', values.seed);
    return values.shrink ? shrinkRun(first, seed) : replay(first, seed, values.script);
  }
  const bounds =
    values.hours === undefined
      ? { from: readNumber('from', values.from), seeds: readNumber('runs', values.runs) }
      : { from: Date.now() % 1_000_000_000, forMs: 3_600_000 * readNumber('hours', values.hours) };
  const jobs = Math.max(1, Math.floor(readNumber('jobs', values.jobs)));
  const pool = new SeedPool({ jobs });
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopped.abort());
  const isWell = await playNight(chosen, {
    ...{ ...bounds, jobs, print, signal: stopped.signal },
    play: (task) => pool.play(task),
    nowMs: () => performance.now(),
  });
  pool.close();
  return isWell;
}

process.exitCode = (await main()) ? 0 : 1;
