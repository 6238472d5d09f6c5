/**
 * Rows that are acknowledged in another way than by the in-sync members: what the leader alone has acknowledged may be
 * lost with it, but only if no later leader had it, and not without being counted.
 */
import type { SimulatedInstance } from './replication-instance.ts';

/** How the rows of a run are acknowledged. */
export interface Acknowledgements {
  /** All rows but those of the local space; an instance is lost for good. */
  readonly isSync: boolean;
}

export class LocalRows {
  readonly #violate: (text: string) => void;
  /** Who has acknowledged a row, and with which log. */
  readonly #acknowledged = new Map<number, readonly [SimulatedInstance, number]>();
  /** Rows that a later leader had when it began: they are on all in-sync members. */
  readonly #reached = new Set<number>();
  readonly #begun = new Set<number>();

  constructor(violate: (text: string) => void) {
    this.#violate = violate;
  }

  get count(): number {
    return this.#acknowledged.size;
  }

  answered(id: number, by: SimulatedInstance, incarnation: number): void {
    this.#acknowledged.set(id, [by, incarnation]);
  }

  /** An instance is writable; that it is so again in the same term says nothing new. */
  leads(term: number, ids: readonly number[]): void {
    this.check(`the leader of term ${term}`, ids);
    if (this.#begun.has(term)) return;
    this.#begun.add(term);
    for (const id of ids) this.#reached.add(id);
  }

  check(who: string, ids: readonly number[]): void {
    const here = new Set(ids);
    const missing = [...this.#reached].filter((id) => !here.has(id));
    if (missing.length > 0) {
      this.#violate(
        `${who} misses local rows that a leader had: ${missing.slice(0, 5).join(', ')}`,
      );
    }
  }

  /** How many were lost. Those of a log that does not exist any more cannot be counted. */
  end(ids: readonly number[], kept: ReadonlySet<number>): number {
    this.check('the end', ids);
    const here = new Set(ids);
    const lost = [...this.#acknowledged].filter(([id]) => !here.has(id));
    for (const [id, [by, incarnation]] of lost) {
      const isGone = by.isDestroyed || by.logIncarnation !== incarnation;
      if (!isGone && !kept.has(id)) this.#violate(`local row ${id} is lost, and not in lost/`);
    }
    return lost.length;
  }
}
