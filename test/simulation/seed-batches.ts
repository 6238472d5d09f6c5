/** Many seeds in batches, here or shared among worker processes; what fails is told at once, and again at the end. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runSeeds, type ScenarioRun } from './scenario.ts';
import { scenarios } from './scenarios.ts';

export interface Batch {
  readonly scenario: string;
  readonly from: number;
  readonly count: number;
}

export interface FailedSeed {
  readonly scenario: string;
  readonly seed: number;
  readonly violation: string;
}

export interface BatchResult {
  readonly failed: readonly FailedSeed[];
  readonly counts: Readonly<Record<string, number>>;
}

export interface Summary {
  /** How many of each scenario were run. */
  readonly seeds: Readonly<Record<string, number>>;
  readonly failed: readonly FailedSeed[];
}

export interface BatchesOptions {
  readonly jobs: number;
  readonly print: (line: string) => void;
}

export async function runBatch(
  batch: Batch,
  onFailed: (failed: FailedSeed) => void = () => undefined,
): Promise<BatchResult> {
  const scenario = scenarios.find(({ name }) => name === batch.scenario);
  if (scenario === undefined) throw new Error(`There is no scenario "${batch.scenario}".`);
  const failed: FailedSeed[] = [];
  const onRun = (seed: number, { violations: [violation] }: ScenarioRun): void => {
    if (violation === undefined) return;
    const one = { scenario: scenario.name, seed, violation };
    failed.push(one);
    onFailed(one);
  };
  const { counts } = await runSeeds(scenario, batch.from, batch.count, { onRun });
  return { failed, counts };
}

export async function runBatches(
  batches: Iterable<Batch>,
  { jobs, print }: BatchesOptions,
): Promise<Summary> {
  const seeds: Record<string, number> = {};
  const failed: FailedSeed[] = [];
  const left = batches[Symbol.iterator]();
  const take = async (run: (batch: Batch) => Promise<BatchResult>): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const batch = next.value;
      const result = await run(batch);
      seeds[batch.scenario] = (seeds[batch.scenario] ?? 0) + batch.count;
      failed.push(...result.failed);
      const to = batch.from + batch.count - 1;
      print(`${batch.scenario} seeds ${batch.from}-${to}: ${JSON.stringify(result.counts)}`);
    }
  };
  const tellFailed = ({ scenario, seed, violation }: FailedSeed): void =>
    print(`${scenario} seed ${seed}: ${violation}`);
  if (jobs === 1) {
    await take((batch) => runBatch(batch, tellFailed));
    return { seeds, failed };
  }
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      const worker = fork(fileURLToPath(new URL('seed-worker.ts', import.meta.url)));
      try {
        await take((batch) => ask(worker, batch));
      } finally {
        worker.disconnect();
      }
    }),
  );
  for (const one of failed) tellFailed(one);
  return { seeds, failed };
}

async function ask(worker: ChildProcess, batch: Batch): Promise<BatchResult> {
  const ended = once(worker, 'exit').then(() => {
    throw new Error(`A worker ended on ${JSON.stringify(batch)}.`);
  });
  // It ends as well when all is done, with nobody waiting.
  ended.catch(() => undefined);
  const answer = once(worker, 'message') as Promise<[BatchResult]>;
  worker.send(batch);
  const [result] = await Promise.race([answer, ended]);
  return result;
}
