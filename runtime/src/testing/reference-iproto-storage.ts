/**
 * What the server of the binary protocol needs of a storage, over the reference engine: for tests of the server and
 * of connectors.
 *
 * Rows are acknowledged at once, or when a test says so.
 */
import { ClusterError } from '../core/errors.ts';
import { errorNumber } from '../core/iproto/error-numbers.ts';
import { MsgpackReader } from '../core/msgpack/decode.ts';
import { encode } from '../core/msgpack/encode.ts';
import {
  type IndexDefinition,
  type SpaceDefinition,
  storedKey,
} from '../core/schema/space-definition.ts';
import type { Tuple, Value } from '../core/schema/values.ts';
import type { IteratorType, OpenTransaction, Transaction } from '../core/storage/engine.ts';
import { ReferenceEngine } from '../core/storage/reference-engine.ts';
import { assert } from '../foundation/assert.ts';
import type {
  DataRequest,
  HeldReplies,
  IprotoStorage,
  TupleSink,
} from '../ports/iproto-storage.ts';

const iterators: readonly IteratorType[] = ['EQ', 'REQ', 'ALL', 'LT', 'LE', 'GE', 'GT'];

type Operations = Parameters<Transaction['update']>[2];

interface Place {
  readonly space: SpaceDefinition;
  readonly index: string;
}

export class ReferenceIprotoStorage implements IprotoStorage {
  isWritable = true;
  isReadable = true;
  /** Off: what is written is only acknowledged by `acknowledge`. */
  acknowledgesAtOnce = true;
  /** Replies wait for the own log alone: they leave when `log` is called. */
  isLocal = false;
  schemaVersion = 1;
  readonly #engine = new ReferenceEngine();
  readonly #holders = new Set<HeldReplies>();
  readonly #reader = new MsgpackReader(new Uint8Array(1));
  #open: OpenTransaction | undefined;
  #written = 0;
  #acknowledged = 0;

  /** Changes the schema, or rows, as the instance itself does. */
  change(work: (transaction: Transaction) => void): void {
    const transaction = this.#engine.begin();
    work(transaction);
    transaction.commit();
    this.#engine.rows.take();
    this.schemaVersion += 1;
  }

  rows(space: string): readonly Tuple[] {
    return this.#peek((transaction) => transaction.select(space, []));
  }

  acknowledge(): void {
    this.#acknowledged = this.#written;
    for (const holder of this.#holders) holder.settle(this.#acknowledged, this.#written);
  }

  log(): void {
    for (const holder of this.#holders) holder.settle(this.#acknowledged, this.#written);
  }

  lose(why: string): void {
    for (const holder of this.#holders) holder.fail(this.#written, why);
    this.#acknowledged = this.#written;
  }

  spaces(): readonly SpaceDefinition[] {
    return this.#peek((transaction) => transaction.spaces());
  }

  hold(held: HeldReplies): () => void {
    this.#holders.add(held);
    return () => this.#holders.delete(held);
  }

  unacknowledged(): number {
    if (this.#written <= this.#acknowledged) return 0;
    return this.isLocal ? -this.#written : this.#written;
  }

  select(request: DataRequest, sink: TupleSink): number {
    const { space, index } = this.#place(request);
    const { iterator, limit, offset, afterAt } = request;
    const options = { index, iterator: iterators[iterator] ?? 'EQ', limit, offset };
    const after = afterAt < 0 ? undefined : this.#tuple(request, afterAt);
    const key = this.#tuple(request, request.keyAt);
    checkKey(space, indexOf(space, index), key);
    const tuples = this.#peek((transaction) =>
      transaction.select(space.name, key, {
        ...options,
        ...(after === undefined ? {} : { after }),
      }),
    );
    for (const tuple of tuples) give(sink, tuple);
    return this.unacknowledged();
  }

  insert(request: DataRequest, sink: TupleSink): number {
    const { space } = this.#place(request);
    const tuple = this.#tuple(request, request.tupleAt);
    return this.#write((transaction) => give(sink, transaction.insert(space.name, tuple)));
  }

  replace(request: DataRequest, sink: TupleSink): number {
    const { space } = this.#place(request);
    const tuple = this.#tuple(request, request.tupleAt);
    return this.#write((transaction) => give(sink, transaction.replace(space.name, tuple)));
  }

  update(request: DataRequest, sink: TupleSink): number {
    const place = this.#place(request);
    const { space } = place;
    const operations = this.#operations(request);
    return this.#write((transaction) => {
      const key = this.#primaryKey(transaction, place, request);
      if (key !== undefined) give(sink, transaction.update(space.name, key, operations));
    });
  }

  upsert(request: DataRequest): number {
    const { space } = this.#place(request);
    const tuple = this.#tuple(request, request.tupleAt);
    const operations = this.#operations(request);
    return this.#write((transaction) => transaction.upsert(space.name, tuple, operations));
  }

  delete(request: DataRequest, sink: TupleSink): number {
    const place = this.#place(request);
    const { space } = place;
    return this.#write((transaction) => {
      const key = this.#primaryKey(transaction, place, request);
      if (key !== undefined) give(sink, transaction.delete(space.name, key));
    });
  }

  begin(): void {
    this.#open = this.#engine.begin();
  }

  commit(): number {
    const count = this.#open?.commit() ?? 0;
    this.#open = undefined;
    return this.#did(count);
  }

  rollback(): void {
    this.#open?.rollback();
    this.#open = undefined;
  }

  #write(work: (transaction: Transaction) => void): number {
    if (!this.isWritable) throw new ClusterError('NOT_LEADER');
    if (this.#open !== undefined) {
      work(this.#open);
      return this.unacknowledged();
    }
    const transaction = this.#engine.begin();
    try {
      work(transaction);
    } catch (error) {
      transaction.rollback();
      throw error;
    }
    return this.#did(transaction.commit());
  }

  #did(count: number): number {
    this.#engine.rows.take();
    this.#written += count;
    if (this.acknowledgesAtOnce) this.#acknowledged = this.#written;
    return this.unacknowledged();
  }

  #peek<T>(work: (transaction: Transaction) => T): T {
    if (this.#open !== undefined) return work(this.#open);
    const transaction = this.#engine.begin();
    try {
      return work(transaction);
    } finally {
      transaction.rollback();
    }
  }

  #place(request: DataRequest): Place {
    const space = this.spaces().find(({ id }) => id === request.space);
    if (space === undefined) {
      throw new ClusterError('SCHEMA_MISSING', {
        message: `Space '#${request.space}' does not exist`,
      });
    }
    const index = space.indexes.find(({ id }) => id === request.index);
    if (index !== undefined) return { space, index: index.name };
    throw new ClusterError('SCHEMA_MISSING', {
      message: `No index #${request.index} is defined in space '${space.name}'`,
      protocolNumber: errorNumber.NO_SUCH_INDEX_ID,
    });
  }

  /** Of the row that a key of any unique index names. */
  #primaryKey(
    transaction: Transaction,
    { space, index }: Place,
    request: DataRequest,
  ): Tuple | undefined {
    const key = this.#tuple(request, request.keyAt);
    const definition = indexOf(space, index);
    if (!definition.unique) throw keyError(`"${index}" is not unique.`, 'MORE_THAN_ONE_TUPLE');
    if (key.length !== definition.parts.length) {
      throw keyError(`A key of "${index}" has ${definition.parts.length} parts.`, 'EXACT_MATCH');
    }
    checkKey(space, definition, key);
    if (key.includes(null)) throw keyError('nil does not name one row.', 'KEY_PART_TYPE');
    const row = transaction.get(space.name, key, index);
    return row === undefined
      ? undefined
      : space.indexes[0]?.parts.map(({ field }) => row[field] ?? null);
  }

  #tuple(request: DataRequest, at: number): Tuple {
    this.#reader.reset(request.bytes, at);
    return this.#reader.value() as Tuple;
  }

  #operations(request: DataRequest): Operations {
    const operations = this.#tuple(request, request.operationsAt) as readonly Tuple[];
    const { indexBase } = request;
    const place = (value: Value | undefined): Value | undefined =>
      typeof value === 'number' && value >= 0 ? value - indexBase : value;
    return operations.map(([operator, field, argument, ...rest]) => [
      operator,
      place(field),
      operator === ':' ? place(argument) : argument,
      ...rest,
    ]) as unknown as Operations;
  }
}

function indexOf(space: SpaceDefinition, name: string): IndexDefinition {
  const index = space.indexes.find((each) => each.name === name);
  assert(index !== undefined, 'the index was found by its number');
  return index;
}

/** As Tarantool does: what does not fit a part of a key is no field that does not fit its format. */
function checkKey(space: SpaceDefinition, index: IndexDefinition, key: Tuple): void {
  try {
    storedKey(space, index, key);
  } catch (error) {
    if (!(error instanceof ClusterError) || key.length > index.parts.length) throw error;
    throw keyError(error.message, 'KEY_PART_TYPE');
  }
}

function keyError(message: string, number: keyof typeof errorNumber): ClusterError {
  const protocolNumber = errorNumber[number];
  return new ClusterError('TUPLE_INVALID', { field: 'key', message, protocolNumber });
}

function give(sink: TupleSink, tuple: Tuple | undefined): void {
  if (tuple === undefined) return;
  const bytes = encode(tuple);
  sink.tuple(bytes, 0, bytes.length);
}
