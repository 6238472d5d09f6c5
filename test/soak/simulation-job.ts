/**
 * One job of the soak, in a process of its own: seeds of one scenario until the time is up, or until a planted bug is
 * found. Prints its result as one line of JSON.
 *
 *     simulation-job.ts --scenario=NAME --from=SEED --seconds=N [--most=SEEDS]
 *     simulation-job.ts --bug=NAME [--from=SEED]
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type PlantedBug, plantedBugs, SEEDS_FOR_A_BUG } from '../simulation/planted-bugs.ts';
import { findBug, type Scenario } from '../simulation/scenario.ts';
import { scenarios } from '../simulation/scenarios.ts';

export const jobResultSchema = z.object({
  seeds: z.number(),
  failed: z.array(z.object({ seed: z.number(), violation: z.string() })),
});
export type JobResult = z.infer<typeof jobResultSchema>;

interface Bounds {
  readonly from: number;
  readonly seconds: number;
  readonly most: number;
}

async function runScenario(scenario: Scenario, bounds: Bounds): Promise<JobResult> {
  const { from, seconds, most } = bounds;
  const untilMs = performance.now() + seconds * 1000;
  const failed: { seed: number; violation: string }[] = [];
  let seeds = 0;
  for (; seeds === 0 || (seeds < most && performance.now() < untilMs); seeds++) {
    const run = await scenario.run(from + seeds);
    const [violation] = run.violations;
    if (violation !== undefined) failed.push({ seed: from + seeds, violation });
  }
  return { seeds, failed };
}

async function findPlanted({ scenario, finding }: PlantedBug, from: number): Promise<JobResult> {
  const found = await findBug(scenario, finding, { from, most: SEEDS_FOR_A_BUG });
  if (found === undefined) return { seeds: SEEDS_FOR_A_BUG, failed: [] };
  return { seeds: found.seed - from + 1, failed: [found] };
}

async function main(): Promise<JobResult> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      bug: { type: 'string' },
      from: { type: 'string' },
      seconds: { type: 'string', default: '60' },
      most: { type: 'string', default: '1000000' },
    },
  });
  const scenario = scenarios.find(({ name }) => name === values.scenario);
  if (scenario !== undefined)
    return runScenario(scenario, {
      from: Number(values.from ?? 1),
      seconds: Number(values.seconds),
      most: Number(values.most),
    });
  const bug = plantedBugs.find(({ name }) => name === values.bug);
  if (bug !== undefined) return findPlanted(bug, Number(values.from ?? bug.from));
  throw new Error('give the name of a scenario or of a planted bug');
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await main())}\n`);
