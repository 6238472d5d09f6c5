/** What clients of the replication scenario write, and how the checker reads it. */
import { isDeepStrictEqual } from 'node:util';
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { SpaceEngine } from '../../runtime/src/core/schema/space-definition.ts';
import type { Reader, Transaction } from '../../runtime/src/core/storage/engine.ts';

/** In the order in which the spaces are made. */
export const ROWS_ID = 512;
export const LOCAL_ID = 514;

export interface WrittenRow {
  readonly id: number;
  readonly isSync: boolean;
  readonly isRefused?: boolean;
  /** Of what everybody acknowledges; default memory. */
  readonly engine?: SpaceEngine;
}

export function addRow(transaction: Transaction, row: WrittenRow): void {
  const { id, isRefused } = row;
  makeSpaces(transaction, row);
  // All over the space, so that a snapshot that is being taken is behind some of them and before others.
  transaction.insert('rows', [(id * 7919) % 100_003, id]);
  if (transaction.update('counter', [0], [['+', 'count', 1]]) === undefined) {
    transaction.insert('counter', [0, 1]);
  }
  if (isRefused === true) throw new ClusterError('REQUEST_INVALID');
}

/** The leader alone acknowledges it. */
export function addLocalRow(transaction: Transaction, row: WrittenRow): void {
  // Once they are there, naming them would be a reading of them.
  if (transaction.space('local') === undefined) {
    makeSpaces(transaction, row);
    const format = [{ name: 'id', type: 'unsigned' }] as const;
    transaction.createSpace('local', { format, ack: 'local' });
    transaction.createIndex('local', { name: 'primary', parts: ['id'] });
  }
  transaction.insert('local', [row.id]);
}

/** Ids of rows, how many there should be, and ids of local rows. */
export function contentOf(reader: Reader): readonly [readonly number[], number, readonly number[]] {
  const count = reader.space('counter') && reader.get('counter', [0])?.[1];
  const local = reader.space('local') === undefined ? [] : reader.select('local', []);
  return [idsOf(reader), Number(count ?? 0), local.map((tuple) => Number(tuple[0]))];
}

function makeSpaces(transaction: Transaction, { isSync, engine }: WrittenRow): void {
  const number = { type: 'unsigned' } as const;
  const columns = [
    { name: 'place', ...number },
    { name: 'id', ...number },
  ];
  const kind = engine === undefined ? {} : { engine };
  transaction.createSpace('rows', { format: columns, isSync, ...kind, ifNotExists: true });
  transaction.createIndex('rows', { name: 'primary', parts: ['place'], ifNotExists: true });
  if (engine === 'disk') {
    transaction.createIndex('rows', { name: 'id', parts: ['id'], ifNotExists: true });
  }
  const format = [
    { name: 'key', ...number },
    { name: 'count', ...number },
  ];
  transaction.createSpace('counter', { format, ...kind, ifNotExists: true });
  transaction.createIndex('counter', { name: 'primary', parts: ['key'], ifNotExists: true });
}

function idsOf(reader: Reader): readonly number[] {
  if (reader.space('rows') === undefined) return [];
  const ids = reader
    .select('rows', [])
    .map((tuple) => Number(tuple[1]))
    .toSorted((a, b) => a - b);
  const hasIndex = reader.space('rows')?.indexes.some(({ name }) => name === 'id') === true;
  if (!hasIndex) return ids;
  const inIndex = reader.select('rows', [], { index: 'id' }).map((tuple) => Number(tuple[1]));
  // A row that only one of two indexes has is one of no state that ever was.
  return isDeepStrictEqual(ids, inIndex) ? ids : [];
}
