/**
 * Requests of the binary protocol, on the bytes of the engine: nothing is decoded that need not be.
 *
 * A write is applied in the same step in which it is checked, and its reply waits for its row. A read is answered
 * from what is here, and its reply waits for the newest row of its space, so that nothing is told that may be lost.
 */
import { ClusterError } from '../core/errors.ts';
import { errorNumber } from '../core/iproto/error-numbers.ts';
import { decode } from '../core/msgpack/decode.ts';
import { MsgpackWriter } from '../core/msgpack/encode.ts';
import { skip } from '../core/msgpack/skip.ts';
import { type AwaitedRow, awaited, later } from '../core/replication/awaited-row.ts';
import type { Integer } from '../core/schema/sequences.ts';
import type { SpaceDefinition } from '../core/schema/space-definition.ts';
import { encodeTuple } from '../core/schema/tuple-bytes.ts';
import type { Tuple } from '../core/schema/values.ts';
import { walkDisk } from '../core/storage/disk/disk-walk.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { MemoryIndex } from '../core/storage/memory/memory-index.ts';
import { MemorySchema } from '../core/storage/memory/memory-schema.ts';
import type { MemorySpace } from '../core/storage/memory/memory-space.ts';
import { fieldCount, firstField, isNil, locateField } from '../core/storage/memory/raw-values.ts';
import { iterators, type Range, Selection } from '../core/storage/memory/selection.ts';
import type { EncodedTuple } from '../core/storage/tuple-update.ts';
import type {
  DataRequest,
  HeldReplies,
  IprotoStorage,
  TupleSink,
} from '../ports/iproto-storage.ts';

import { areLocal } from './local-spaces.ts';

/** What it needs of the storage of its instance. */
export interface RowAccess {
  readonly isWritable: boolean;
  readonly isReadable: boolean;
  /** The engine as it is now, for what its definitions say. */
  engine(): MemoryEngine;
  /** The same to read rows; throws where they must not be read. */
  readable(): MemoryEngine;
  /** The same for a write: throws unless this instance leads, with a lease that holds now. */
  writable(): MemoryEngine;
  /** Rows of these spaces were added by statements: the number of the last. */
  committed(rowCount: number, spaces: Iterable<number>): number;
  /** What is told of a space's rows waits for this one. */
  unacknowledged(space: number): AwaitedRow;
  hold(held: HeldReplies): () => void;
}

export class RequestStorage implements IprotoStorage {
  readonly #access: RowAccess;
  readonly #selection = new Selection();
  readonly #range: Range = {
    bytes: new Uint8Array(),
    iterator: 0,
    keyAt: 0,
    keyParts: 0,
    afterAt: -1,
  };
  readonly #tuples = new MsgpackWriter();
  /** Spaces that the open transaction has read or written; undefined outside of one. */
  #touched: Set<number> | undefined;
  readonly #one = [0];

  constructor(access: RowAccess) {
    this.#access = access;
  }

  get isWritable(): boolean {
    return this.#access.isWritable;
  }

  get isReadable(): boolean {
    return this.#access.isReadable;
  }

  get schemaVersion(): number {
    return this.#access.engine().schemaVersion;
  }

  spaces(): readonly SpaceDefinition[] {
    return this.#access.engine().catalog.definitions();
  }

  hold(held: HeldReplies): () => void {
    return this.#access.hold(held);
  }

  unacknowledged(space: number): number {
    return this.#access.unacknowledged(space);
  }

  select(request: DataRequest, sink: TupleSink): number {
    const engine = this.#access.readable();
    const space = engine.catalog.byId(request.space);
    const index = space.indexById(request.index);
    const keyParts = index.keys.check(request.bytes, request.keyAt);
    const isOne =
      request.iterator === iterators.EQ && index.isExact && keyParts === index.order.ownParts;
    if (!isOne || request.afterAt >= 0)
      this.#walk(engine, request, sink, { space, index, keyParts });
    else if (request.limit > 0 && request.offset === 0) {
      space.overlay?.warmKey(index, request.bytes, request.keyAt);
      const handle = index.findKey(request.bytes, request.keyAt);
      if (handle !== 0) give(engine, handle, sink);
    }
    return this.#read(space);
  }

  insert(request: DataRequest, sink: TupleSink): number {
    const engine = this.#access.writable();
    const space = engine.catalog.byId(request.space);
    if (this.#needsTransaction(space)) return this.#atomically(() => this.insert(request, sink));
    const before = engine.rows.count;
    const { bytes, start, end } = this.#checkedTuple(engine, space, request);
    give(engine, engine.insert(space, bytes, start, end), sink);
    return this.#wrote(engine, space, before);
  }

  replace(request: DataRequest, sink: TupleSink): number {
    const engine = this.#access.writable();
    const space = engine.catalog.byId(request.space);
    if (this.#needsTransaction(space)) return this.#atomically(() => this.replace(request, sink));
    const before = engine.rows.count;
    const { bytes, start, end } = this.#checkedTuple(engine, space, request);
    give(engine, engine.replace(space, bytes, start, end), sink);
    return this.#wrote(engine, space, before);
  }

  update(request: DataRequest, sink: TupleSink): number {
    const engine = this.#access.writable();
    const space = engine.catalog.byId(request.space);
    const before = engine.rows.count;
    const handle = this.#findOne(space, request);
    if (handle === 0) return this.#read(space);
    const { bytes, operationsAt: at, indexBase } = request;
    give(engine, engine.update(space, handle, { bytes, at, indexBase }), sink);
    return this.#wrote(engine, space, before);
  }

  upsert(request: DataRequest): number {
    const engine = this.#access.writable();
    const space = engine.catalog.byId(request.space);
    if (this.#needsTransaction(space)) return this.#atomically(() => this.upsert(request));
    const before = engine.rows.count;
    const tuple = this.#checkedTuple(engine, space, request);
    const { bytes, operationsAt: at, indexBase } = request;
    engine.upsert(space, tuple, { bytes, at, indexBase });
    return engine.rows.count === before ? this.#read(space) : this.#wrote(engine, space, before);
  }

  delete(request: DataRequest, sink: TupleSink): number {
    const engine = this.#access.writable();
    const space = engine.catalog.byId(request.space);
    const before = engine.rows.count;
    const handle = this.#findOne(space, request);
    if (handle === 0) return this.#read(space);
    give(engine, handle, sink);
    engine.remove(space, handle);
    return this.#wrote(engine, space, before);
  }

  begin(): void {
    this.#access.readable().beginChanges();
    this.#touched = new Set();
  }

  commit(): number {
    const touched = this.#takeTouched();
    const rowCount = this.#access.engine().commitChanges();
    if (rowCount > 0) {
      const sequence = this.#access.committed(rowCount, touched);
      return awaited(sequence, areLocal(this.#access.engine(), touched));
    }
    let newest = 0;
    for (const space of touched) newest = later(newest, this.#access.unacknowledged(space));
    return newest;
  }

  rollback(): void {
    this.#takeTouched();
    this.#access.engine().rollbackChanges();
  }

  /** A sequence moves on before its tuple is stored, or refused. */
  #needsTransaction(space: MemorySpace): boolean {
    return space.sequenceField >= 0 && this.#touched === undefined;
  }

  #atomically(work: () => void): number {
    this.begin();
    try {
      work();
    } catch (error) {
      this.rollback();
      throw error;
    }
    return this.commit();
  }

  #takeTouched(): Set<number> {
    const touched = this.#touched ?? new Set();
    this.#touched = undefined;
    return touched;
  }

  #read(space: MemorySpace): number {
    this.#touched?.add(space.id);
    return this.#access.unacknowledged(space.id);
  }

  #wrote(engine: MemoryEngine, space: MemorySpace, before: number): number {
    if (this.#touched !== undefined) return this.#read(space);
    this.#one[0] = space.id;
    const sequence = this.#access.committed(engine.rows.count - before, this.#one);
    return space.isLocal ? -sequence : sequence;
  }

  #walk(
    engine: MemoryEngine,
    request: DataRequest,
    sink: TupleSink,
    where: { readonly space: MemorySpace; readonly index: MemoryIndex; readonly keyParts: number },
  ): void {
    const { space, index, keyParts } = where;
    const range = this.#range;
    range.bytes = request.bytes;
    range.iterator = request.iterator;
    range.keyAt = request.keyAt;
    range.keyParts = keyParts;
    range.afterAt = request.afterAt;
    if (request.afterAt >= 0) space.check.check(request.bytes, request.afterAt, request.afterAt);
    const selection = this.#selection;
    if (space.overlay !== undefined) {
      const { offset, limit } = request;
      const visit = (handle: number): void => give(engine, handle, sink);
      walkDisk(selection, { space, index, range, offset, limit }, visit);
      return;
    }
    selection.start(space, index, range);
    for (let left = request.offset; left > 0; left--) if (selection.next() === 0) return;
    for (let left = request.limit; left > 0; left--) {
      const handle = selection.next();
      if (handle === 0) return;
      give(engine, handle, sink);
    }
  }

  /** The tuple that a full key of a unique index names; 0 when there is none. */
  #findOne(space: MemorySpace, request: DataRequest): number {
    const index = space.indexById(request.index);
    const { definition, order } = index;
    const { bytes, keyAt } = request;
    const parts = fieldCount(bytes, keyAt);
    const name = `${space.name}.${definition.name}`;
    if (!definition.unique) {
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `"${name}" is not unique: it does not name one row.`,
        protocolNumber: errorNumber.MORE_THAN_ONE_TUPLE,
      });
    }
    if (parts !== order.ownParts) {
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `A key of "${name}" that names one row has ${order.ownParts} parts, not ${parts}.`,
        protocolNumber: errorNumber.EXACT_MATCH,
      });
    }
    index.keys.check(bytes, keyAt);
    if (!index.isExact && hasNil(bytes, keyAt)) {
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `A key of "${name}" with nil does not name one row.`,
        protocolNumber: errorNumber.KEY_PART_TYPE,
      });
    }
    space.overlay?.warmKey(index, bytes, keyAt);
    return index.findKey(request.bytes, request.keyAt);
  }

  #checkedTuple(
    engine: MemoryEngine,
    space: MemorySpace,
    { bytes, tupleAt, tupleEnd }: DataRequest,
  ): EncodedTuple {
    if (space.sequenceField >= 0) {
      return this.#sequenced(engine, space, { bytes, start: tupleAt, end: tupleEnd });
    }
    space.check.check(bytes, tupleAt, tupleEnd);
    const tuple = this.#tuple;
    tuple.bytes = bytes;
    tuple.start = tupleAt;
    tuple.end = tupleEnd;
    return tuple;
  }

  /** One object for all requests. */
  readonly #tuple = { bytes: new Uint8Array() as Uint8Array, start: 0, end: 0 };

  /** A key that is nil becomes the sequence's next value; any other moves the sequence on. */
  #sequenced(engine: MemoryEngine, space: MemorySpace, given: EncodedTuple): EncodedTuple {
    const { bytes, start, end } = given;
    const { definition, sequenceField } = space;
    const sequence = definition.indexes[0]?.sequence ?? '';
    const schema = new MemorySchema(engine);
    const at = locateField(bytes, start, sequenceField);
    if (!isNil(bytes, at)) {
      space.check.check(bytes, start, end);
      schema.passSequence(sequence, decode(bytes, at) as Integer);
      return given;
    }
    const tuple = [...(decode(bytes, start) as Tuple)];
    while (tuple.length < sequenceField) tuple.push(null);
    tuple[sequenceField] = schema.nextOf(sequence);
    const writer = this.#tuples;
    writer.length = 0;
    encodeTuple(definition, tuple, writer);
    space.check.check(writer.bytes, 0, writer.length);
    return { bytes: writer.bytes, start: 0, end: writer.length };
  }
}

/** Rows with nil are never the same in a unique index. */
function hasNil(bytes: Uint8Array, keyAt: number): boolean {
  let at = firstField(bytes, keyAt);
  for (let left = fieldCount(bytes, keyAt); left > 0; left--) {
    if (isNil(bytes, at)) return true;
    at = skip(bytes, at);
  }
  return false;
}

function give({ memory: { arena } }: MemoryEngine, handle: number, sink: TupleSink): void {
  const start = arena.startOf(handle);
  sink.tuple(arena.chunkOf(handle), start, start + arena.sizeOf(handle));
}
