/** Many seeds of some scenarios, in turn, until there were enough or the time is up; and what came of them. */
import { addCounts, howToReplay, type Scenario } from './scenario.ts';
import type { SeedOutcome, SeedTask } from './seed-pool.ts';

export interface NightOptions {
  readonly from: number;
  /** Of each scenario; left out: until the time is up. */
  readonly seeds?: number;
  readonly forMs?: number;
  /** So many at once. */
  readonly jobs: number;
  readonly play: (task: SeedTask) => Promise<SeedOutcome>;
  readonly nowMs: () => number;
  readonly print: (line: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

interface Tally {
  seeds: number;
  failed: number;
  readonly counts: Record<string, number>;
}

interface Failed {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly violation: string;
}

const PROGRESS_MS = 10_000;
/** The rest is counted: where everything fails, more of the same tells nothing. */
const FAILURES_SHOWN = 200;

/** True when nothing failed. */
export async function playNight(
  chosen: readonly Scenario[],
  options: NightOptions,
): Promise<boolean> {
  const night = new Night(chosen, options);
  const tasks = tasksOf(chosen, options);
  const work = async (): Promise<void> => {
    for (let next = tasks.next(); next.done !== true; next = tasks.next()) {
      const [scenario, seed] = next.value;
      const outcome = await options.play({ subject: scenario.name, seed });
      // What ends all of this has ended its processes as well, perhaps.
      if (outcome.violations.length === 0 || !options.signal.aborted) {
        night.played(scenario, seed, outcome);
      }
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return night.summary();
}

/** One seed of each scenario after the other, so that whenever it ends, all have had their share. */
function* tasksOf(
  chosen: readonly Scenario[],
  options: NightOptions,
): Generator<readonly [Scenario, number]> {
  const { from, seeds = Number.POSITIVE_INFINITY, nowMs, signal } = options;
  const endMs = nowMs() + (options.forMs ?? Number.POSITIVE_INFINITY);
  for (let seed = from; seed < from + seeds; seed++) {
    for (const scenario of chosen) {
      if (signal.aborted || nowMs() >= endMs) return;
      yield [scenario, seed];
    }
  }
}

class Night {
  readonly #options: NightOptions;
  readonly #tallies: ReadonlyMap<Scenario, Tally>;
  readonly #failed: Failed[] = [];
  readonly #startMs: number;
  #toldMs: number;
  #seeds = 0;
  #failures = 0;

  constructor(chosen: readonly Scenario[], options: NightOptions) {
    this.#options = options;
    this.#tallies = new Map(
      chosen.map((scenario) => [scenario, { seeds: 0, failed: 0, counts: {} }]),
    );
    this.#startMs = options.nowMs();
    this.#toldMs = this.#startMs;
  }

  played(scenario: Scenario, seed: number, { violations, counts }: SeedOutcome): void {
    const tally = this.#tallies.get(scenario);
    if (tally === undefined) return;
    tally.seeds += 1;
    this.#seeds += 1;
    addCounts(tally.counts, counts);
    const [violation] = violations;
    if (violation !== undefined) {
      tally.failed += 1;
      this.#failures += 1;
      const failed = { scenario, seed, violation };
      if (this.#failed.length < FAILURES_SHOWN) this.#failed.push(failed);
      this.#options.print(sentenceOf(failed));
    }
    this.#tellProgress();
  }

  summary(): boolean {
    const { print } = this.#options;
    for (const [{ name }, { seeds, failed, counts }] of this.#tallies) {
      const happened = Object.entries(counts).map(([what, times]) => `${what} ${times}`);
      print(
        `${name}: ${seeds} seeds, ${failed} failed${happened.length > 0 ? '; ' : ''}${happened.join(', ')}`,
      );
    }
    for (const failed of this.#failed) {
      print(sentenceOf(failed));
      print(howToReplay(failed.scenario, failed.seed));
    }
    const hidden = this.#failures - this.#failed.length;
    if (hidden > 0) print(`… and ${hidden} more`);
    print(`${this.#seeds} seeds, ${this.#failures} failed`);
    return this.#failures === 0;
  }

  #tellProgress(): void {
    const { nowMs, print, seeds } = this.#options;
    const now = nowMs();
    if (now - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = now;
    const secondsLong = (now - this.#startMs) / 1000;
    const all = seeds === undefined ? '' : ` of ${seeds * this.#tallies.size}`;
    const rate = (this.#seeds / secondsLong).toFixed(1);
    print(
      `after ${secondsLong.toFixed(0)} s: ${this.#seeds}${all} seeds, ${rate} a second, ${this.#failures} failed`,
    );
  }
}

function sentenceOf({ scenario, seed, violation }: Failed): string {
  return `FAILED ${scenario.name} seed ${seed}: ${violation}`;
}
