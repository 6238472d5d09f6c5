/**
 * What one connection has written, and what may be there after a crash.
 *
 * Requests of a connection are executed in the order in which they were sent, and the log is one sequence. So what is
 * there afterwards is the state after the first N of them, for one N for all rows together, and N is not before the
 * last acknowledged one. A transaction is one step: it is there as a whole or not at all. What was not there once is
 * not there later either: the state that was found is what the next requests build upon.
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

/** What one step makes of one row; undefined takes it out. */
export interface Image {
  readonly id: string;
  readonly tuple: Tuple | undefined;
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

export class WriteLedger {
  #settled = new Map<string, Tuple>();
  readonly #latest = new Map<string, Tuple>();
  #steps: (readonly Image[])[] = [];
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
  send(images: readonly Image[]): number {
    this.#steps.push(images);
    for (const image of images) put(this.#latest, image);
    return this.#steps.length;
  }

  acknowledge(step: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, step);
  }

  /** Compares, and builds on what was found. */
  settle(found: ReadonlyMap<string, Tuple>): Finding {
    const state = new Map(this.#settled);
    for (const images of this.#steps.slice(0, this.#acknowledged))
      for (const image of images) put(state, image);
    const different = new Set<string>();
    for (const id of new Set([...state.keys(), ...found.keys()]))
      if (!isDeepStrictEqual(state.get(id), found.get(id))) different.add(id);
    const wrong = [...different];
    let steps = this.#acknowledged;
    while (different.size > 0 && steps < this.#steps.length) {
      for (const image of this.#steps[steps] ?? []) {
        put(state, image);
        if (isDeepStrictEqual(image.tuple, found.get(image.id))) different.delete(image.id);
        else different.add(image.id);
      }
      steps += 1;
    }
    const finding = {
      steps: different.size === 0 ? steps : undefined,
      acknowledged: this.#acknowledged,
      sent: this.#steps.length,
      wrong:
        different.size === 0 ? [] : wrong.slice(0, WRONG_SHOWN).map((id) => this.#tale(id, found)),
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
    const history = this.#steps.flatMap((images, index) =>
      images.filter((image) => image.id === id).map(({ tuple }) => `${index + 1}:${brief(tuple)}`),
    );
    const before = `before ${brief(this.#settled.get(id))}`;
    return `${id}: ${before}, steps ${history.slice(-8).join(' ')}, found ${brief(found.get(id))}`;
  }
}

function put(rows: Map<string, Tuple>, { id, tuple }: Image): void {
  if (tuple === undefined) rows.delete(id);
  else rows.set(id, tuple);
}

/** Versions are never used twice. */
function brief(tuple: Tuple | undefined): string {
  return tuple === undefined ? 'none' : `version ${tuple[2]}`;
}
