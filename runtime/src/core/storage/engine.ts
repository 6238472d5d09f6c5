/**
 * What holds the rows of an instance in memory.
 *
 * Everything here is synchronous: a transaction begins, works and ends within one tick, so that there is never more
 * than one and no reader sees half of it.
 */
import type {
  FieldOptions,
  IndexDefinition,
  IndexOptions,
  SpaceDefinition,
} from '../schema/space-definition.ts';
import type { Tuple } from '../schema/values.ts';
import type { RowWriter } from './row-writer.ts';

/** As in Tarantool: EQ, GE, GT and ALL go up, REQ, LE and LT go down. */
export type IteratorType = 'EQ' | 'REQ' | 'GE' | 'GT' | 'LE' | 'LT' | 'ALL';

export interface SelectOptions {
  /** Default: the primary index. */
  readonly index?: string;
  /** Default EQ; with an empty key it covers all rows. */
  readonly iterator?: IteratorType;
  readonly limit?: number;
  readonly offset?: number;
  /** A row of an earlier page: begin behind its place in the index, even if it is gone by now. */
  readonly after?: readonly unknown[];
}

/** A space is named by its name. A key may be the beginning of one; values beyond it are free. */
export interface Reader {
  spaces(): readonly SpaceDefinition[];
  space(name: string): SpaceDefinition | undefined;
  /** By a full key of a unique index. */
  get(space: string, key: readonly unknown[], index?: string): Tuple | undefined;
  select(space: string, key: readonly unknown[], options?: SelectOptions): readonly Tuple[];
  count(space: string, key?: readonly unknown[], options?: SelectOptions): number;
}

export type UpdateOperation = readonly [
  operator: '=' | '+' | '-',
  field: string | number,
  value: unknown,
];

export interface CreateOptions {
  /** Nothing happens when it exists with the same definition; with another it is a conflict all the same. */
  readonly ifNotExists?: boolean;
}

export interface SpaceOptions extends CreateOptions {
  readonly format: readonly FieldOptions[];
}

export interface Transaction extends Reader {
  insert(space: string, tuple: readonly unknown[]): Tuple;
  replace(space: string, tuple: readonly unknown[]): Tuple;
  /** Undefined when there is no such row. */
  update(
    space: string,
    key: readonly unknown[],
    operations: readonly UpdateOperation[],
  ): Tuple | undefined;
  /** The row that was there. */
  delete(space: string, key: readonly unknown[]): Tuple | undefined;
  createSpace(name: string, options: SpaceOptions): SpaceDefinition;
  dropSpace(name: string): void;
  createIndex(space: string, options: IndexOptions & CreateOptions): IndexDefinition;
  dropIndex(space: string, index: string): void;
}

export interface OpenTransaction extends Transaction {
  /** Ends it: the number of rows that it has added to `Engine.rows`. */
  commit(): number;
  /** Ends it as if it had never been. */
  rollback(): void;
  /** Ids of the spaces it has read or written. */
  readonly touched: ReadonlySet<number>;
}

/** Where a scan of everything goes on: opaque, small, and valid whatever has changed meanwhile. */
export interface ScanCursor {
  readonly space: number;
  /** The primary key of the last row that was given, as an array in MessagePack. */
  readonly after: Uint8Array | undefined;
}

export interface ScannedRows {
  /** Rows as in a batch of the log. */
  readonly payload: Uint8Array;
  readonly rowCount: number;
  /** Undefined after the last row. */
  readonly next: ScanCursor | undefined;
}

export interface Engine {
  /** What transactions did and the log has not taken yet. */
  readonly rows: RowWriter;
  begin(): OpenTransaction;
  /** Does what the rows of a batch's payload say, in their order; they do not come to `rows` again. */
  apply(payload: Uint8Array): void;
  /**
   * Rows that make what is here in an empty engine: first all definitions, then the rows of every space in primary
   * order, about `maxBytes` at a time. What changes between two calls may be in it or not: applied to it, the log
   * from before the first call to after the last makes it whole.
   */
  scan(from: ScanCursor | undefined, maxBytes: number): ScannedRows;
  /** Between them rows only come from a snapshot and the log behind it: what they cost more than once is done at the end. */
  beginLoad(): void;
  endLoad(): void;
}
