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

/** Whatever plays a seed: a scenario here, or one in another process. */
export interface PlaysSeeds {
  run(seed: number): Promise<Pick<ScenarioRun, 'violations' | 'counts'>>;
}

export interface FailedSeed {
  readonly seed: number;
  readonly violations: readonly string[];
}

export interface SeedsRun {
  readonly failed: readonly FailedSeed[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Runs the seeds `from`, `from + 1`, …; so many of them at once, which helps when there are processes for them. */
export async function runSeeds(
  player: PlaysSeeds,
  from: number,
  count: number,
  atOnce = 1,
): Promise<SeedsRun> {
  const failed: FailedSeed[] = [];
  const counts: Record<string, number> = {};
  let next = from;
  const play = async (): Promise<void> => {
    while (next < from + count) {
      const seed = next++;
      const { violations, counts: ofRun } = await player.run(seed);
      addCounts(counts, ofRun);
      if (violations.length > 0) failed.push({ seed, violations });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, play));
  return { failed: failed.toSorted((a, b) => a.seed - b.seed), counts };
}

export function addCounts(
  total: Record<string, number>,
  added: Readonly<Record<string, number>>,
): void {
  for (const [name, times] of Object.entries(added)) total[name] = (total[name] ?? 0) + times;
}

/** The first seed of a scenario with a planted bug whose violations name it; other checkers may find it as well. */
export async function findBug(
  player: PlaysSeeds,
  finding: RegExp,
  { from, most }: { readonly from: number; readonly most: number },
): Promise<{ readonly seed: number; readonly violation: string } | undefined> {
  for (let seed = from; seed < from + most; seed++) {
    const { violations } = await player.run(seed);
    const violation = violations.find((one) => finding.test(one));
    if (violation !== undefined) return { seed, violation };
  }
  return undefined;
}

/** For the message of a failed test: the first failures, and how to replay each. */
export function explainFailures(scenario: Scenario, failed: readonly FailedSeed[]): string {
  return failed
    .slice(0, 3)
    .map(({ seed, violations }) => `${violations[0] ?? ''}\n${howToReplay(scenario, seed)}`)
    .join('\n');
}

export function howToReplay({ name, smaller }: Scenario, seed: number): string {
  const replay = `npm run simulate -- --scenario=${name} --seed=${seed}`;
  const shrunk = smaller === undefined ? '' : `\n  shrink: ${replay} --shrink`;
  return `  replay: ${replay}${shrunk}`;
}
