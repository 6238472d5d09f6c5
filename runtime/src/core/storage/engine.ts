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
import type { Row } from './rows.ts';

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
  /** Ends it and gives what it did. */
  commit(): readonly Row[];
  /** Ends it as if it had never been. */
  rollback(): void;
  /** Ids of the spaces it has read or written. */
  readonly touched: ReadonlySet<number>;
}

export interface Engine {
  begin(): OpenTransaction;
  /** Does what a row says, in the order of the log. */
  apply(row: Row): void;
}
