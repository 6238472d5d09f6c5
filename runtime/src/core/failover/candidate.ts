/** Whom an appointment may name, and what each says when it is asked to promise a term. */
import type { Position } from '../../contract/instance-status.ts';
import type { Seat } from '../../contract/provider-records.ts';

export interface Candidate {
  readonly uuid: string;
  readonly electable: boolean;
  readonly disabled: boolean;
  readonly zone?: string | undefined;
  /** The machine that it runs on, where somebody knows. */
  readonly node?: string | undefined;
}

/** The in-sync members that an instance last knew, on its disk. */
export interface LastInSync {
  readonly term: number;
  readonly leader: string;
  readonly inSync: readonly Seat[];
}

/** What an instance answered when it was asked to promise a term. */
export interface PromiseReport {
  readonly position: Position;
  /** Lower than the term that was asked for: refused. */
  readonly promisedTerm: number;
  readonly logIncarnation: number;
  readonly lastInSync?: LastInSync | undefined;
}
