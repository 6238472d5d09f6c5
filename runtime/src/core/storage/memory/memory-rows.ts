/**
 * Rows in memory, and the statements that change them.
 *
 * A statement changes the indexes and writes its row for the log in the same step. Within a transaction it also
 * remembers what it replaced: that memory is freed by the commit, and put back by a rollback. Outside of one, it is
 * freed at once: nobody holds a handle beyond the call that gave it.
 */
import { assert } from '../../../foundation/assert.ts';
import { ClusterError } from '../../errors.ts';
import { MsgpackWriter } from '../../msgpack/encode.ts';
import { skip } from '../../msgpack/skip.ts';
import type { SpaceDefinition } from '../../schema/space-definition.ts';
import { DiskRows, type DiskRowsLimits } from '../disk/disk-rows.ts';
import type { OrderedStore } from '../disk/ordered-store.ts';
import type { SpaceOverlay } from '../disk/space-overlay.ts';
import { type RowMark, RowWriter } from '../row-writer.ts';
import type { Row } from '../rows.ts';
import { checkOperations, type EncodedTuple, updateTuple, upsertTuple } from '../tuple-update.ts';
import type { EncodedOperations } from '../tuple-update-operations.ts';
import { Arena } from './arena.ts';
import { Catalog } from './catalog.ts';
import { DiscardedTuples } from './discarded-tuples.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { IndexMemory } from './memory-index.ts';
import { MemorySpace } from './memory-space.ts';
import { locateField } from './raw-values.ts';

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

const insertNew = { isInsert: true, isNew: true } as const;
const replaceNew = { isInsert: false, isNew: true } as const;

const WAITING_MOST = 16 * 1024 * 1024;
const WAITING_SHARE = 8;

/** Tuples of dropped spaces that are freed at a time, which takes less than a millisecond. */
const GARBAGE_STEP = 1000;

export interface MemoryRowsOptions {
  readonly memoryBytes?: number | undefined;
  /** For spaces of engine `disk`. */
  readonly store?: OrderedStore | undefined;
  readonly diskLimits?: Partial<DiskRowsLimits> | undefined;
}

export class MemoryRows {
  readonly rows = new RowWriter();
  readonly catalog = new Catalog();
  readonly memory: IndexMemory;
  /** Rows of spaces of engine `disk`; undefined where there can be none. */
  readonly disk: DiskRows | undefined;
  /** Grows with every change of a space or an index. */
  schemaVersion = 1;
  readonly #keys = new MsgpackWriter();
  readonly #updated = new MsgpackWriter();
  #open: OpenChanges | undefined;
  readonly #discarded: DiscardedTuples;

  constructor(options: MemoryRowsOptions = {}) {
    const budget = new MemoryBudget(options.memoryBytes);
    const arena = new Arena(budget);
    this.memory = { arena, budget };
    this.#discarded = new DiscardedTuples(arena);
    const { catalog } = this;
    const { store } = options;
    const space = (id: number): MemorySpace | undefined => catalog.findId(id);
    const spaces = (): readonly MemorySpace[] => catalog.inOrder();
    const diskLimits = { ...waitingLimit(options.memoryBytes), ...options.diskLimits };
    this.disk = store && new DiskRows(store, { arena, space, spaces }, diskLimits);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  beginChanges(): void {
    assert(this.#open === undefined, 'one transaction at a time');
    this.disk?.relieve();
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
    if (space.overlay !== undefined) this.#warm(space.overlay, bytes, at);
    const handle = space.put(bytes, at, end, insertNew);
    this.rows.replace(space.id, bytes, at, end);
    this.#changed(space, 0, handle);
    return handle;
  }

  /** The same, in the place of the one with its primary key. */
  replace(space: MemorySpace, bytes: Uint8Array, at: number, end: number): number {
    if (space.overlay !== undefined) this.#warm(space.overlay, bytes, at);
    const handle = space.put(bytes, at, end, replaceNew);
    this.rows.replace(space.id, bytes, at, end);
    this.#changed(space, space.previous, handle);
    return handle;
  }

  /** The tuple after the operations, which takes the place of the one at `handle`. */
  update(
    space: MemorySpace,
    handle: number,
    operations: EncodedOperations,
    fields = space.fields,
  ): number {
    const next = updateTuple(this.#encoded(handle), operations, fields, this.#updated);
    space.check.check(next, 0, next.length);
    space.requireSamePrimary(handle, next);
    return this.replace(space, next, 0, next.length);
  }

  /** Inserts a tuple that was checked, or does the operations on the one that has its primary key. */
  upsert(
    space: MemorySpace,
    tuple: EncodedTuple,
    operations: EncodedOperations,
    fields = space.fields,
  ): void {
    const { bytes, start, end } = tuple;
    if (space.overlay !== undefined) this.#warm(space.overlay, bytes, start);
    const handle = space.primary().findSame(bytes, space.check.positions);
    if (handle === 0) {
      checkOperations(operations, fields);
      this.insert(space, bytes, start, end);
      return;
    }
    const next = upsertTuple(this.#encoded(handle), operations, fields, this.#updated);
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
    this.schemaVersion += 1;
    this.changedRow(row, change);
  }

  /** Anything else that transactions change but tuples. */
  changedRow(row: Row, change: SchemaChange): void {
    this.rows.row(row);
    this.#open?.done.push(change);
  }

  /** Everything of a space that nobody reaches any more, step by step. */
  discard(space: MemorySpace): void {
    this.#discarded.add(space);
  }

  /** Frees some of what was discarded; false when nothing is left. */
  collectGarbage(): boolean {
    return this.#discarded.free(GARBAGE_STEP);
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

  /** A space that is new here; `before` is the one that a truncation empties. */
  newSpace(
    definition: SpaceDefinition,
    { isLoading = false, before }: { isLoading?: boolean; before?: MemorySpace } = {},
  ): MemorySpace {
    const { disk } = this;
    if (definition.engine === 'disk' && disk === undefined) refuseDisk(definition.name);
    const space = new MemorySpace(this.memory, definition, isLoading);
    if (definition.engine === 'disk') disk?.attach(space, before?.overlay);
    return space;
  }

  /** Before a tuple is put: what the disk has under its keys. */
  #warm(overlay: SpaceOverlay, bytes: Uint8Array, at: number): void {
    if (this.#open === undefined) this.disk?.relieve();
    overlay.warmTuple(bytes, at);
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
    space.overlay?.change(to === 0 ? from : to);
    if (this.#open !== undefined) this.#open.done.push({ space, from, to });
    else if (from !== 0) this.memory.arena.free(from);
  }

  #undo(change: DataChange | SchemaChange): void {
    if ('undo' in change) {
      // A connection may have been told of what is taken back.
      this.schemaVersion += 1;
      change.undo();
      return;
    }
    const { space, from, to } = change;
    space.overlay?.unchange(to === 0 ? from : to);
    if (to !== 0) {
      space.remove(to);
      this.memory.arena.free(to);
    }
    if (from !== 0) space.restore(from);
  }
}

/** Rows that wait for the disk, and their indexes, must not take all of a small memory. */
function waitingLimit(memoryBytes: number | undefined): Partial<DiskRowsLimits> {
  if (memoryBytes === undefined) return {};
  return { waitingBytes: Math.min(WAITING_MOST, memoryBytes / WAITING_SHARE) };
}

function refuseDisk(space: string): never {
  throw new ClusterError('REQUEST_INVALID', {
    field: `${space}.engine`,
    message: `Space "${space}" is of engine "disk", which this instance has no database for.`,
  });
}
