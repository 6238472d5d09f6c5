/**
 * Scenarios of the simulation, by name. One seed makes everything of a run: set-up, workload, faults and schedule.
 *
 * A failure names its seed; `npm run simulate -- --scenario=NAME --seed=N` replays it, event for event.
 */
export interface Scenario {
  readonly name: string;
  /** One run, of the seed's own script or of another. Resolves with what was violated; empty when all is well. */
  run(seed: number, script?: string): Promise<ScenarioRun>;
  /** Scripts that are a little smaller than this one, the greatest savings first; without it nothing can be shrunk. */
  readonly smaller?: (script: string) => Iterable<string>;
}

export interface ScenarioRun {
  readonly violations: readonly string[];
  /** What happened, in order, for reading a replay. */
  readonly trace: readonly string[];
  /** How often what happened, to see that the runs are not idle. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was played, in one line; with it and the seed the run is the same again. */
  readonly script?: string;
}

export interface SeedsRun {
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[];
  readonly counts: Readonly<Record<string, number>>;
}

export interface RunSeedsOptions {
  /** Ends after the first failure. */
  readonly stopAtFirst?: boolean;
  readonly onRun?: (seed: number, run: ScenarioRun) => void;
}

/** Runs the seeds `from`, `from + 1`, … */
export async function runSeeds(
  scenario: Scenario,
  from: number,
  count: number,
  options: RunSeedsOptions = {},
): Promise<SeedsRun> {
  const failed: { seed: number; violations: readonly string[] }[] = [];
  const counts: Record<string, number> = {};
  for (let seed = from; seed < from + count; seed++) {
    const run = await scenario.run(seed);
    options.onRun?.(seed, run);
    for (const [name, times] of Object.entries(run.counts)) {
      counts[name] = (counts[name] ?? 0) + times;
    }
    if (run.violations.length > 0) failed.push({ seed, violations: run.violations });
    if (failed.length > 0 && options.stopAtFirst === true) break;
  }
  return { failed, counts };
}

/** The first seed of a scenario with a planted bug whose violations name it; other checkers may find it as well. */
export async function findBug(
  scenario: Scenario,
  finding: RegExp,
  { from, most }: { readonly from: number; readonly most: number },
): Promise<{ readonly seed: number; readonly violation: string } | undefined> {
  for (let seed = from; seed < from + most; seed++) {
    const { violations } = await scenario.run(seed);
    const violation = violations.find((one) => finding.test(one));
    if (violation !== undefined) return { seed, violation };
  }
  return undefined;
}

/** For the message of a failed test: the first failures, and how to replay each. */
export function explainFailures(scenario: Scenario, run: SeedsRun): string {
  return run.failed
    .slice(0, 3)
    .map(({ seed, violations }) => `${violations[0] ?? ''}\n${howToReplay(scenario, seed)}`)
    .join('\n');
}

export function howToReplay({ name, smaller }: Scenario, seed: number): string {
  const replay = `npm run simulate -- --scenario=${name} --seed=${seed}`;
  const shrunk = smaller === undefined ? '' : `\n  shrink: ${replay} --shrink`;
  return `  replay: ${replay}${shrunk}`;
}
