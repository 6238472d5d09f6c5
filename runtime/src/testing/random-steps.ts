/**
 * Steps of transactions on one space, drawn at random: the same ones for an engine and for the reference beside it.
 *
 * A key is taken from a row by the index that the space has at that moment, so that a step fits whatever came before.
 */
import fc from 'fast-check';
import { ClusterError } from '../core/errors.ts';
import type { IndexDefinition, IndexOptions } from '../core/schema/space-definition.ts';
import type { Engine, IteratorType, Transaction, UpdateOperation } from '../core/storage/engine.ts';

export type Step = (transaction: Transaction) => unknown;

/** Of spaces with fields `id` and `name`. */
export const primaries = [['id'], ['name'], ['name', 'id'], ['id', 'name']] as const;

export const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(arbitrary, { nil: null, freq: 4 });

const iterator = fc.constantFrom<IteratorType>('EQ', 'REQ', 'GE', 'GT', 'LE', 'LT', 'ALL');

export interface StepChoices {
  readonly row: fc.Arbitrary<readonly unknown[]>;
  /** Secondary ones, which come and go; the primary is `pk`. */
  readonly indexes: readonly IndexOptions[];
  readonly operation: fc.Arbitrary<UpdateOperation>;
}

type StepKind =
  | 'insert'
  | 'replace'
  | 'update'
  | 'upsert'
  | 'delete'
  | 'get'
  | 'select'
  | 'minOrMax'
  | 'count'
  | 'createIndex'
  | 'dropIndex'
  | 'truncate';

/** Each kind of step on the space `space`. */
export function stepsOn(choices: StepChoices): Readonly<Record<StepKind, fc.Arbitrary<Step>>> {
  const { row: anyRow, indexes, operation } = choices;
  const indexName = fc.constantFrom(...indexes.map(({ name }) => name), 'pk');
  const parts = fc.integer({ min: 0, max: 2 });
  const operations = fc.array(operation, { maxLength: 3 });
  return {
    insert: anyRow.map((row) => (tx) => tx.insert('space', row)),
    replace: anyRow.map((row) => (tx) => tx.replace('space', row)),
    delete: anyRow.map((row) => (tx) => tx.delete('space', keyOf(tx, 'pk', row))),
    get: fc.tuple(indexName, anyRow).map(([index, row]) => (tx) => {
      return tx.get('space', keyOf(tx, index, row), index);
    }),
    select: fc
      .record({
        ...{ index: indexName, row: anyRow, parts, iterator },
        limit: fc.integer({ min: 0, max: 5 }),
        offset: fc.integer({ min: 0, max: 2 }),
        after: fc.option(anyRow, { nil: undefined, freq: 3 }),
      })
      .map(({ index, row, parts: count, after, ...options }) => (tx) => {
        const more = { index, ...options, ...(after === undefined ? {} : { after }) };
        return tx.select('space', keyOf(tx, index, row).slice(0, count), more);
      }),
    minOrMax: fc
      .tuple(indexName, anyRow, parts, fc.constantFrom('min', 'max'))
      .map(([index, row, count, end]) => (tx) => {
        return tx[end]('space', keyOf(tx, index, row).slice(0, count), index);
      }),
    count: fc.constant((tx) => tx.count('space')),
    update: fc.tuple(anyRow, operations).map(([row, changes]) => (tx) => {
      return tx.update('space', keyOf(tx, 'pk', row), changes);
    }),
    upsert: fc.tuple(anyRow, operations).map(
      ([row, changes]) =>
        (tx) =>
          tx.upsert('space', row, changes),
    ),
    // Ids of indexes are not the same in two engines.
    createIndex: fc.constantFrom(...indexes).map((index) => (tx) => {
      tx.createIndex('space', index);
    }),
    dropIndex: indexName.map((name) => (tx) => tx.dropIndex('space', name)),
    truncate: fc.constant((tx) => tx.truncate('space')),
  };
}

/** What a step gives, or the code of its refusal. */
export function attempt(work: () => unknown): unknown {
  try {
    return { result: work() };
  } catch (error) {
    if (error instanceof ClusterError) return { code: error.code };
    throw error;
  }
}

export function transact<T>(
  engine: Engine,
  work: (transaction: Transaction) => T,
  isKept = true,
): T {
  const transaction = engine.begin();
  const result = work(transaction);
  if (isKept) transaction.commit();
  else transaction.rollback();
  return result;
}

/** All rows by an index; of a hash, which has no order of its own, only how many there are. */
export function rowsInOrder(tx: Transaction, space: string, index: IndexDefinition): unknown {
  const rows = tx.select(space, [], { index: index.name });
  return index.type === 'hash' ? rows.length : rows;
}

function keyOf(tx: Transaction, index: string, row: readonly unknown[]): readonly unknown[] {
  const definition = tx.space('space')?.indexes.find(({ name }) => name === index);
  return (definition?.parts ?? []).map(({ field }) => row[field]);
}
