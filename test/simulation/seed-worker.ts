/** Plays the seeds that its parent names, one at a time, until it is disconnected. */
import { createHash } from 'node:crypto';
import { plantedBugs } from './planted-bugs.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import type { SeedOutcome, SeedTask } from './seed-pool.ts';

// Nobody sees where an error was made, and to find it out takes longer than to make it.
Error.stackTraceLimit = 0;

const planted = plantedBugs.map(({ name, scenario }): [string, Scenario] => [name, scenario]);
const subjects = new Map([
  ...scenarios.map((scenario): [string, Scenario] => [scenario.name, scenario]),
  ...planted,
]);

async function play({ subject, seed }: SeedTask): Promise<SeedOutcome> {
  const scenario = subjects.get(subject);
  if (scenario === undefined) throw new Error(`There is no scenario or planted bug "${subject}".`);
  const { violations, counts, trace } = await scenario.run(seed);
  const digest = createHash('sha256').update(trace.join('\n')).digest('hex');
  return { violations, counts, digest };
}

process.on('message', (task: SeedTask) => {
  play(task).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.send?.('ready');
process.on('disconnect', () => process.exit());
// It comes to the whole group; the parent ends what is under way.
process.on('SIGINT', () => undefined);
