/**
 * The engine that holds rows as MessagePack outside of the JavaScript heap.
 *
 * A statement changes the indexes and writes its row for the log in the same step. Within a transaction it also
 * remembers what it replaced: that memory is freed by the commit, and put back by a rollback. Outside of one, it is
 * freed at once: nobody holds a handle beyond the call that gave it.
 */
import { assert } from '../../../foundation/assert.ts';
import { MsgpackWriter } from '../../msgpack/encode.ts';
import { skip } from '../../msgpack/skip.ts';
import type { Engine, OpenTransaction, ScanCursor, ScannedRows } from '../engine.ts';
import { type RowMark, RowWriter } from '../row-writer.ts';
import { type Row, RowCodec, rowKinds } from '../rows.ts';
import { checkOperations, type EncodedTuple, updateTuple, upsertTuple } from '../tuple-update.ts';
import type { EncodedOperations } from '../tuple-update-operations.ts';
import { Arena } from './arena.ts';
import { Catalog } from './catalog.ts';
import { isOfEarlierFormat, ofPresentFormat } from './earlier-format.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { IndexMemory } from './memory-index.ts';
import { MemorySpace } from './memory-space.ts';
import { MemoryTransaction } from './memory-transaction.ts';
import { fieldCount, firstField, integerAt, locateField } from './raw-values.ts';
import { scanSpaces } from './scan.ts';

interface DataChange {
  readonly space: MemorySpace;
  /** 0: there was none, or there is none. */
  readonly from: number;
  readonly to: number;
}

export interface SchemaChange {
  undo(): void;
  /** After the commit. */
  settle?(): void;
}

interface OpenChanges {
  readonly mark: RowMark;
  readonly done: (DataChange | SchemaChange)[];
}

type SchemaRow = Extract<
  Row,
  { readonly kind: 'create-space' | 'drop-space' | 'truncate' | 'create-index' | 'drop-index' }
>;

const insertNew = { isInsert: true, isNew: true } as const;
const replaceNew = { isInsert: false, isNew: true } as const;
const applied = { isInsert: false, isNew: false } as const;

/** Tuples of dropped spaces that are freed at a time. */
const GARBAGE_STEP = 2000;

export class MemoryEngine implements Engine {
  readonly rows = new RowWriter();
  readonly catalog = new Catalog();
  readonly memory: IndexMemory;
  readonly #codec = new RowCodec();
  readonly #keys = new MsgpackWriter();
  #open: OpenChanges | undefined;
  #isLoading = false;
  #schemaVersion = 1;
  #garbage: { readonly space: MemorySpace; readonly handles: Uint32Array; freed: number }[] = [];

  constructor(options: { readonly memoryBytes?: number } = {}) {
    const budget = new MemoryBudget(options.memoryBytes);
    this.memory = { arena: new Arena(budget), budget };
  }

  /** Grows with every change of a space or an index. */
  get schemaVersion(): number {
    return this.#schemaVersion;
  }

  begin(): OpenTransaction {
    this.beginChanges();
    return new MemoryTransaction(this);
  }

  beginChanges(): void {
    assert(this.#open === undefined, 'one transaction at a time');
    this.#open = { mark: this.rows.mark(), done: [] };
  }

  /** The number of rows that were added. */
  commitChanges(): number {
    const open = this.#takeOpen();
    for (const change of open.done) {
      if ('undo' in change) change.settle?.();
      else if (change.from !== 0) this.memory.arena.free(change.from);
    }
    return this.rows.count - open.mark.count;
  }

  rollbackChanges(): void {
    const open = this.#takeOpen();
    for (const change of open.done.toReversed()) this.#undo(change);
    this.rows.rewind(open.mark);
  }

  /** A tuple that was checked by the space: its handle. */
  insert(space: MemorySpace, bytes: Uint8Array, at: number, end: number): number {
    const handle = space.put(bytes, at, end, insertNew);
    this.rows.replace(space.id, bytes, at, end);
    this.#changed(space, 0, handle);
    return handle;
  }

  /** The same, in the place of the one with its primary key. */
  replace(space: MemorySpace, bytes: Uint8Array, at: number, end: number): number {
    const handle = space.put(bytes, at, end, replaceNew);
    this.rows.replace(space.id, bytes, at, end);
    this.#changed(space, space.previous, handle);
    return handle;
  }

  /** The tuple after the operations, which takes the place of the one at `handle`. */
  update(space: MemorySpace, handle: number, operations: EncodedOperations): number {
    const next = updateTuple(this.#encoded(handle), operations, space.fields);
    space.check.check(next, 0, next.length);
    space.requireSamePrimary(handle, next);
    return this.replace(space, next, 0, next.length);
  }

  /** Inserts a tuple that was checked, or does the operations on the one that has its primary key. */
  upsert(space: MemorySpace, tuple: EncodedTuple, operations: EncodedOperations): void {
    const { bytes, start, end } = tuple;
    const handle = space.primary().findSame(bytes, space.check.positions);
    if (handle === 0) {
      checkOperations(operations, space.fields);
      this.insert(space, bytes, start, end);
      return;
    }
    const next = upsertTuple(this.#encoded(handle), operations, space.fields);
    space.check.check(next, 0, next.length);
    if (space.hasSamePrimary(handle, next)) this.replace(space, next, 0, next.length);
  }

  /** The tuple's memory is free when this returns, unless a transaction is open. */
  remove(space: MemorySpace, handle: number): void {
    const key = this.primaryKeyOf(space, handle);
    this.rows.delete(space.id, key.bytes, 0, key.length);
    space.remove(handle);
    this.#changed(space, handle, 0);
  }

  /** A change of the schema that was made: its row, and how to take it back. */
  changedSchema(row: Row, change: SchemaChange): void {
    assert(this.#open !== undefined, 'the schema changes in transactions');
    this.#schemaVersion += 1;
    this.changedRow(row, change);
  }

  /** Anything else that transactions change but tuples. */
  changedRow(row: Row, change: SchemaChange): void {
    this.rows.row(row);
    this.#open?.done.push(change);
  }

  /** Everything of a space that nobody reaches any more, step by step. */
  discard(space: MemorySpace): void {
    const handles = space.indexes.length > 0 ? space.handles() : new Uint32Array();
    for (const index of space.indexes) index.dispose();
    if (handles.length > 0) this.#garbage.push({ space, handles, freed: 0 });
  }

  /** Frees some of what was discarded; false when nothing is left. */
  collectGarbage(): boolean {
    const first = this.#garbage[0];
    if (first === undefined) return false;
    const end = Math.min(first.freed + GARBAGE_STEP, first.handles.length);
    for (; first.freed < end; first.freed++) {
      this.memory.arena.free(first.handles[first.freed] as number);
    }
    if (end === first.handles.length) this.#garbage.shift();
    return this.#garbage.length > 0;
  }

  apply(payload: Uint8Array): void {
    assert(this.#open === undefined, 'rows are applied between transactions');
    let at = firstField(payload, 0);
    for (let left = fieldCount(payload, 0); left > 0; left--) {
      const end = skip(payload, at);
      this.#apply(payload, at, end);
      at = end;
    }
  }

  scan(from: ScanCursor | undefined, maxBytes: number): ScannedRows {
    return scanSpaces(this, from, maxBytes);
  }

  beginLoad(): void {
    this.#isLoading = true;
  }

  endLoad(): void {
    this.#isLoading = false;
    for (const space of this.catalog.inOrder()) space.endLoad();
  }

  /** As an array in MessagePack; valid until the next call. */
  primaryKeyOf(space: MemorySpace, handle: number): MsgpackWriter {
    const { arena } = this.memory;
    const bytes = arena.chunkOf(handle);
    const start = arena.startOf(handle);
    const { parts } = space.primary().definition;
    const writer = this.#keys;
    writer.length = 0;
    writer.arrayHeader(parts.length);
    for (const { field } of parts) {
      const at = locateField(bytes, start, field);
      writer.raw(bytes, at, skip(bytes, at));
    }
    return writer;
  }

  #encoded(handle: number): EncodedTuple {
    const { arena } = this.memory;
    const start = arena.startOf(handle);
    return { bytes: arena.chunkOf(handle), start, end: start + arena.sizeOf(handle) };
  }

  #takeOpen(): OpenChanges {
    const open = this.#open;
    assert(open !== undefined, 'a transaction is open');
    this.#open = undefined;
    return open;
  }

  #changed(space: MemorySpace, from: number, to: number): void {
    if (this.#open !== undefined) this.#open.done.push({ space, from, to });
    else if (from !== 0) this.memory.arena.free(from);
  }

  #undo(change: DataChange | SchemaChange): void {
    if ('undo' in change) {
      this.#schemaVersion += 1;
      change.undo();
      return;
    }
    const { space, from, to } = change;
    if (to !== 0) {
      space.remove(to);
      this.memory.arena.free(to);
    }
    if (from !== 0) space.restore(from);
  }

  #apply(payload: Uint8Array, at: number, end: number): void {
    const kindAt = firstField(payload, at);
    const kind = payload[kindAt];
    if (kind === rowKinds.replace) this.#applyReplace(payload, kindAt + 1, end);
    else if (kind === rowKinds.delete) this.#applyDelete(payload, kindAt + 1);
    else {
      this.#schemaVersion += 1;
      this.#applyOther(this.#codec.decodeRow(payload, at));
    }
  }

  #applyReplace(payload: Uint8Array, spaceAt: number, end: number): void {
    const space = this.#spaceOfRow(integerAt(payload, spaceAt));
    if (space === undefined) return;
    const at = skip(payload, spaceAt);
    const { arena } = this.memory;
    let handle: number;
    space.check.locate(payload, at);
    if (isOfEarlierFormat(space, payload)) {
      const tuple = ofPresentFormat(space, payload, at);
      space.check.locate(tuple, 0);
      handle = space.put(tuple, 0, tuple.length, applied);
    } else handle = space.put(payload, at, end, applied);
    assert(handle !== 0, 'a row was stored');
    if (space.previous !== 0) arena.free(space.previous);
  }

  #applyDelete(payload: Uint8Array, spaceAt: number): void {
    const space = this.#spaceOfRow(integerAt(payload, spaceAt));
    if (space === undefined) return;
    const handle = space.primary().findKey(payload, skip(payload, spaceAt));
    if (handle === 0) return;
    space.remove(handle);
    this.memory.arena.free(handle);
  }

  /** While loading, rows of a space that is not there any more come before the row that drops it or makes another. */
  #spaceOfRow(id: number): MemorySpace | undefined {
    const space = this.catalog.findId(id);
    assert(space !== undefined || this.#isLoading, `there is no space ${id} for a row of the log`);
    return space;
  }

  #applyOther(row: Row): void {
    const { catalog } = this;
    switch (row.kind) {
      case 'create-space':
      case 'drop-space':
      case 'truncate':
      case 'create-index':
      case 'drop-index':
        this.#applySchema(row);
        return;
      case 'create-sequence':
        catalog.sequences.set(row.definition.name, { definition: row.definition, last: undefined });
        return;
      case 'drop-sequence':
        catalog.sequences.delete(row.name);
        return;
      case 'set-sequence': {
        const sequence = catalog.sequences.get(row.name);
        if (sequence !== undefined) sequence.last = row.value ?? undefined;
        return;
      }
      default:
    }
  }

  #applySchema(row: SchemaRow): void {
    if (row.kind === 'create-space') {
      const old = this.catalog.findId(row.definition.id);
      if (old !== undefined) this.#drop(old);
      this.catalog.add(new MemorySpace(this.memory, row.definition, this.#isLoading));
      return;
    }
    const space = this.#spaceOfRow(row.space);
    if (space === undefined) return;
    switch (row.kind) {
      case 'drop-space':
        this.#drop(space);
        return;
      case 'truncate':
        this.#drop(space);
        this.catalog.add(new MemorySpace(this.memory, space.definition, this.#isLoading));
        return;
      case 'create-index':
        if (!space.definition.indexes.some(({ id }) => id === row.index.id)) {
          space.createIndex(row.index);
        }
        return;
      default:
        if (space.definition.indexes.some(({ id }) => id === row.index)) {
          space.dropIndex(row.index).dispose();
        }
    }
  }

  #drop(space: MemorySpace): void {
    this.catalog.remove(space);
    this.discard(space);
  }
}
