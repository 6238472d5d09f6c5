/**
 * What one connection has written, and what may be there after a crash.
 *
 * Requests of a connection are executed in the order in which they were sent, and the log is one sequence. So what is
 * there afterwards is the state after the first N of them, for one N for all rows together, and N is not before the
 * last acknowledged one. What was refused has done nothing, at any place. A transaction is one step: it is there as a
 * whole or not at all. What was not there once is not there later either: the state that was found is what the next
 * requests build upon.
 */
import { isDeepStrictEqual } from 'node:util';

export type Tuple = readonly [
  id: string,
  writer: number,
  version: number,
  label: string,
  group: number,
  note: string | null,
  total: number,
  payload: string,
];

/** What one statement makes of one row; undefined is a row that is not there. */
export interface Change {
  readonly id: string;
  readonly apply: (before: Tuple | undefined) => Tuple | undefined;
}

export interface Finding {
  /** How many of the steps that were sent are there; undefined when no number explains what is. */
  readonly steps: number | undefined;
  readonly acknowledged: number;
  readonly sent: number;
  /** Rows that are not as the acknowledged steps and the fewest further ones say. */
  readonly wrong: readonly string[];
}

const WRONG_SHOWN = 5;
const HISTORY_SHOWN = 8;

export class WriteLedger {
  #settled = new Map<string, Tuple>();
  readonly #latest = new Map<string, Tuple>();
  #steps: Change[][] = [];
  #acknowledged = 0;

  get sent(): number {
    return this.#steps.length;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** As it is when everything sent so far is executed. */
  latest(id: string): Tuple | undefined {
    return this.#latest.get(id);
  }

  /** The number of the step, from 1. */
  send(changes: readonly Change[]): number {
    this.#steps.push([...changes]);
    for (const change of changes) apply(this.#latest, change);
    return this.#steps.length;
  }

  /** A step that did nothing tells nothing of those before it: its answer waits for none of them. */
  acknowledge(step: number): void {
    if (this.#steps[step - 1]?.length === 0) return;
    this.#acknowledged = Math.max(this.#acknowledged, step);
  }

  /** All of a step has done nothing, or one statement of it. */
  refuse(step: number, only?: Change): void {
    const changes = this.#steps[step - 1] ?? [];
    this.#steps[step - 1] = changes.filter((change) => only !== undefined && change !== only);
  }

  /** Compares, and builds on what was found. */
  settle(found: ReadonlyMap<string, Tuple>): Finding {
    const state = new Map(this.#settled);
    for (const changes of this.#steps.slice(0, this.#acknowledged))
      for (const change of changes) apply(state, change);
    const ids = new Set([...state.keys(), ...found.keys()]);
    const isWrong = (id: string): boolean => !isDeepStrictEqual(state.get(id), found.get(id));
    const different = new Set([...ids].filter(isWrong));
    const wrong = [...different].slice(0, WRONG_SHOWN);
    let steps = this.#acknowledged;
    while (different.size > 0 && steps < this.#steps.length) {
      for (const change of this.#steps[steps] ?? []) {
        apply(state, change);
        if (isWrong(change.id)) different.add(change.id);
        else different.delete(change.id);
      }
      steps += 1;
    }
    const isExplained = different.size === 0;
    const finding = {
      steps: isExplained ? steps : undefined,
      acknowledged: this.#acknowledged,
      sent: this.#steps.length,
      wrong: isExplained ? [] : wrong.map((id) => this.#tale(id, found)),
    };
    this.#begin(found);
    return finding;
  }

  #begin(found: ReadonlyMap<string, Tuple>): void {
    this.#settled = new Map(found);
    this.#latest.clear();
    for (const [id, tuple] of found) this.#latest.set(id, tuple);
    this.#steps = [];
    this.#acknowledged = 0;
  }

  #tale(id: string, found: ReadonlyMap<string, Tuple>): string {
    const before = this.#settled.get(id);
    let tuple = before;
    const history = this.#steps.flatMap((changes, index) =>
      changes
        .filter((change) => change.id === id)
        .map((change) => {
          tuple = change.apply(tuple);
          return `${index + 1}: ${brief(tuple)}`;
        }),
    );
    const steps = `steps ${history.slice(-HISTORY_SHOWN).join(', ')}`;
    return `${id} before: ${brief(before)}; ${steps}; found: ${brief(found.get(id))}`;
  }
}

function apply(rows: Map<string, Tuple>, change: Change): void {
  const tuple = change.apply(rows.get(change.id));
  if (tuple === undefined) rows.delete(change.id);
  else rows.set(change.id, tuple);
}

/** Versions are never used twice. */
function brief(tuple: Tuple | undefined): string {
  return tuple === undefined ? 'none' : `version ${tuple[2]}`;
}
