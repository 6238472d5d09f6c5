/**
 * Makes a run that fails smaller for as long as it fails in the same way: what is left is what the failure needs.
 *
 * Tries in turn what the scenario says might be smaller, and goes on from the first that still fails. The same failure
 * is the same sentence without its numbers: another one would be another bug.
 */
import type { Scenario, ScenarioRun } from './scenario.ts';

export interface Shrunk {
  readonly script: string;
  readonly run: ScenarioRun;
  /** How many runs it took. */
  readonly runs: number;
}

export interface ShrinkOptions {
  readonly runsMax: number;
  readonly onSmaller?: (script: string) => void;
}

/** Undefined when the seed does not fail, or the scenario has no script. */
export async function shrink(
  scenario: Scenario,
  seed: number,
  { runsMax, onSmaller }: ShrinkOptions,
): Promise<Shrunk | undefined> {
  const first = await scenario.run(seed);
  const { script, violations } = first;
  if (script === undefined || violations.length === 0) return undefined;
  const kind = kindOf(first);
  let best = { script, run: first };
  let runs = 1;
  const tried = new Set<string>();
  for (;;) {
    const smaller = await firstThatFails(best.script);
    if (smaller === undefined) return { ...best, runs };
    best = smaller;
    onSmaller?.(best.script);
  }

  async function firstThatFails(from: string): Promise<typeof best | undefined> {
    for (const candidate of scenario.smaller?.(from) ?? []) {
      if (tried.has(candidate)) continue;
      if (runs >= runsMax) return undefined;
      tried.add(candidate);
      runs += 1;
      const run = await scenario.run(seed, candidate);
      if (kindOf(run) === kind) return { script: candidate, run };
    }
    return undefined;
  }
}

function kindOf({ violations: [violation = ''] }: ScenarioRun): string {
  return (violation.split('\n')[0] ?? '')
    .replaceAll(/[a-c]?\d[\d.]*/g, '#')
    .replaceAll(/".*"/g, '');
}
