/** What rounds with real processes have in common: a seed that makes their faults, and a report. */
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';

export interface RealRounds {
  /** Makes the same faults in the same order; what they meet is up to the machine. */
  readonly random: SeededRandom;
  /** Is there to be another round? Asked before each, with the number of those that were. */
  readonly goesOn: (rounds: number) => boolean;
  readonly tell: (line: string) => void;
}

export interface RealReport {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

export function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
