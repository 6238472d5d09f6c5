/**
 * Which term each row of a log is of: a run of sequences per term, in ascending order of both.
 *
 * A term has one leader, which numbers its rows once. So two logs with the same (term, sequence) are equal up to it,
 * and a position is all that two instances have to compare.
 */
import type { Position } from '../../contract/instance-status.ts';
import { assert } from '../../foundation/assert.ts';

/** The rows from `first` to `last` are of this term. */
export interface TermRun {
  readonly term: number;
  readonly first: number;
  readonly last: number;
}

interface Run extends TermRun {
  last: number;
}

export const BEFORE_ALL: Position = { term: 0, sequence: 0 };

export class TermHistory {
  #runs: Run[];

  /** With what was before: a log may begin behind rows that only a snapshot holds. */
  constructor(runs: readonly TermRun[] = []) {
    this.#runs = runs.map((run) => ({ ...run }));
  }

  get runs(): readonly TermRun[] {
    return this.#runs.map((run) => ({ ...run }));
  }

  /** The last row. */
  get end(): Position {
    const run = this.#runs.at(-1);
    return run === undefined ? BEFORE_ALL : { term: run.term, sequence: run.last };
  }

  extend(term: number, lastSequence: number): void {
    const { term: lastTerm, sequence } = this.end;
    assert(term >= lastTerm && lastSequence > sequence, 'a log grows in terms and sequences');
    const run = this.#runs.at(-1);
    if (run?.term === term) run.last = lastSequence;
    else this.#runs.push({ term, first: sequence + 1, last: lastSequence });
  }

  /** Forgets all rows behind `sequence`. */
  truncate(sequence: number): void {
    this.#runs = this.#runs.filter((run) => run.first <= sequence);
    const run = this.#runs.at(-1);
    if (run !== undefined) run.last = Math.min(run.last, sequence);
  }

  has({ term, sequence }: Position): boolean {
    if (sequence === 0) return term === 0;
    return this.#runs.some(
      (run) => run.term === term && run.first <= sequence && sequence <= run.last,
    );
  }

  /** The position of a row by its number. */
  at(sequence: number): Position {
    const run = this.#runs.findLast(({ first }) => first <= sequence);
    if (run === undefined || sequence <= 0) return BEFORE_ALL;
    return { term: run.term, sequence: Math.min(sequence, run.last) };
  }

  /** The last position here that is above `limit` in neither term nor sequence. */
  lastNotAbove(limit: Position): Position {
    const run = this.#runs.findLast(
      ({ term, first }) => term <= limit.term && first <= limit.sequence,
    );
    if (run === undefined) return BEFORE_ALL;
    return { term: run.term, sequence: Math.min(run.last, limit.sequence) };
  }
}
