/**
 * What holds the rows of an instance in memory.
 *
 * Everything here is synchronous: a transaction begins, works and ends within one tick, so that there is never more
 * than one and no reader sees half of it.
 */
import type { Integer, SequenceDefinition, SequenceOptions } from '../schema/sequences.ts';
import type {
  AcknowledgementOptions,
  FieldOptions,
  IndexDefinition,
  IndexOptions,
  SpaceDefinition,
  SpaceEngine,
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
  /** The first row in the order of an index, among those that begin with the key; a hash has no order. */
  min(space: string, key?: readonly unknown[], index?: string): Tuple | undefined;
  max(space: string, key?: readonly unknown[], index?: string): Tuple | undefined;
  sequences(): readonly SequenceDefinition[];
}

/**
 * As in Tarantool, applied one after another; a field is a name or a number from 0, negative ones from the end (-1 the
 * last). `=` puts a value; `+` and `-` count; `&`, `|`, `^` work on the bits of unsigned integers; `!` inserts a field;
 * `#` takes out as many fields as the value says; `:` replaces so many characters from a place in a text on, both
 * counted in bytes.
 */
export type UpdateOperation =
  | readonly [
      operator: '=' | '+' | '-' | '&' | '|' | '^' | '!' | '#',
      field: FieldRef,
      value: unknown,
    ]
  | readonly [operator: ':', field: FieldRef, start: number, length: number, text: string];

export type FieldRef = string | number;

export interface CreateOptions {
  /** Nothing happens when it exists with the same definition; with another it is a conflict all the same. */
  readonly ifNotExists?: boolean;
}

export interface SpaceOptions extends CreateOptions, AcknowledgementOptions {
  readonly format: readonly FieldOptions[];
  /** Default memory; `disk` for what is larger. */
  readonly engine?: SpaceEngine;
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
  /**
   * Inserts the tuple, or does the operations on the row that has its primary key. Operations that cannot be done on
   * that row are left out, and so is all of it where the row that comes out has another primary key.
   */
  upsert(space: string, tuple: readonly unknown[], operations: readonly UpdateOperation[]): void;
  /** The row that was there. */
  delete(space: string, key: readonly unknown[]): Tuple | undefined;
  /** Takes out all rows. */
  truncate(space: string): void;
  createSpace(name: string, options: SpaceOptions): SpaceDefinition;
  dropSpace(name: string): void;
  createIndex(space: string, options: IndexOptions & CreateOptions): IndexDefinition;
  dropIndex(space: string, index: string): void;
  createSequence(name: string, options?: SequenceOptions & CreateOptions): SequenceDefinition;
  /** Refused while an index takes values from it. */
  dropSequence(name: string): void;
  nextOf(sequence: string): Integer;
  /** The next value is the one behind this; without one the sequence begins anew. */
  setSequence(name: string, value?: Integer): void;
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
