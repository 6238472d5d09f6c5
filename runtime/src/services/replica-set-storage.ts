/** What leadership needs of the storage of its instance. */
import type { Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';

export interface StorageReport {
  /** The last own row. */
  readonly position: Position;
  readonly promisedTerm: number;
  readonly logIncarnation: number;
  /** The in-sync members that a leader has told this process last; left out where nobody asks. */
  readonly followed?: { readonly term: number; readonly seats: readonly Seat[] } | undefined;
}

export interface StorageProgress {
  /** The last row that is known to be acknowledged. */
  readonly acknowledged: Position;
  /** False after a join, until the rows that were written meanwhile have come: it could not lead. */
  readonly isComplete: boolean;
}

export interface ReplicaSetStorage {
  report(): StorageReport;
  progress(): StorageProgress;
  /** The highest term that anyone was heard to have promised: a leader of a lower one has to give way. */
  seenTerm(): number;
  /**
   * Persists that rows of lower terms are refused from now on, then reports. A lower term than one promised before
   * changes nothing: the report says so.
   */
  promise(term: number): Promise<StorageReport>;
  /** Takes no more writes, and resolves to the last row once it is final. */
  freeze(): Promise<Position>;
  thaw(): void;
}
