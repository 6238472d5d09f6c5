/**
 * The engine that holds rows as MessagePack outside of the JavaScript heap: transactions, the log's rows, and loading.
 */

import type { Position } from '../../../contract/instance-status.ts';
import { assert } from '../../../foundation/assert.ts';
import { skip } from '../../msgpack/skip.ts';
import { type IndexOptions, indexDefinition } from '../../schema/space-definition.ts';
import type { Engine, OpenTransaction, ScanCursor, ScannedRows } from '../engine.ts';
import type { Batch } from '../log-format.ts';
import { type Row, RowCodec, rowKinds } from '../rows.ts';
import {
  isEarlierKey,
  isOfEarlierFormat,
  keyOfPresentFormat,
  ofPresentFormat,
} from './earlier-format.ts';
import type { IndexBuild } from './index-build.ts';
import { MemoryRows } from './memory-rows.ts';
import type { MemorySpace } from './memory-space.ts';
import { MemoryTransaction } from './memory-transaction.ts';
import { fieldCount, firstField, integerAt } from './raw-values.ts';
import { scanSpaces } from './scan.ts';

type SchemaRow = Extract<
  Row,
  { readonly kind: 'create-space' | 'drop-space' | 'truncate' | 'create-index' | 'drop-index' }
>;

const BEFORE_ALL: Position = { term: 0, sequence: 0 };
const applied = { isInsert: false, isNew: false } as const;

export class MemoryEngine extends MemoryRows implements Engine {
  readonly #codec = new RowCodec();
  #isLoading = false;
  /** Rows come from a snapshot. */
  #isFilling = false;

  begin(): OpenTransaction {
    this.beginChanges();
    return new MemoryTransaction(this);
  }

  apply(payload: Uint8Array): void {
    assert(!this.isOpen, 'rows are applied between transactions');
    let at = firstField(payload, 0);
    for (let left = fieldCount(payload, 0); left > 0; left--) {
      const end = skip(payload, at);
      this.#apply(payload, at, end);
      at = end;
    }
    if (this.#isFilling) this.disk?.fill(payload);
  }

  /** The same for a batch whose place in the log counts: rows on the disk may have it already. */
  applyBatch(batch: Batch): void {
    this.#isFilling = false;
    this.disk?.beginBatch(batch);
    this.apply(batch.payload);
    this.disk?.note(batch);
  }

  /** What transactions did and the log has not taken yet, as its next batch. */
  takeBatch(term: number, firstSequence: number): Batch {
    const batch = { term, firstSequence, ...this.rows.take() };
    this.disk?.note(batch);
    return batch;
  }

  /** Begins to make the indexes that a batch's rows create, of spaces with more than `rows` rows. */
  beginIndexes(payload: Uint8Array, rows: number): readonly IndexBuild[] {
    const builds: IndexBuild[] = [];
    if (this.#isLoading) return builds;
    let at = firstField(payload, 0);
    for (let left = fieldCount(payload, 0); left > 0; left--) {
      const isIndex = payload[firstField(payload, at)] === rowKinds.createIndex;
      const build = isIndex ? this.#beginIndexOfRow(payload, at, rows) : undefined;
      if (build !== undefined) builds.push(build);
      at = skip(payload, at);
    }
    return builds;
  }

  /**
   * Begins to make an index, so that a transaction that creates it finds it made; undefined when there is nothing to
   * make: no such space, no more than `rows` rows in it, or an index of that name.
   */
  beginIndex(name: string, options: IndexOptions, rows: number): IndexBuild | undefined {
    assert(!this.isOpen, 'an index is begun between transactions');
    const space = this.catalog.find(name);
    if (space === undefined || space.overlay !== undefined || space.size <= rows) return undefined;
    const { plannedDefinition } = space;
    if (plannedDefinition.indexes.some((index) => index.name === options.name)) return undefined;
    return space.beginIndex(indexDefinition(plannedDefinition, options));
  }

  /** Gives up what no transaction has taken. */
  endIndex(name: string, build: IndexBuild): void {
    this.catalog.find(name)?.giveUpBuild(build);
  }

  scan(from: ScanCursor | undefined, maxBytes: number): ScannedRows {
    return scanSpaces(this, from, maxBytes);
  }

  /** `start` and `end`: of the snapshot whose rows come first. */
  beginLoad(start: Position = BEFORE_ALL, end: Position = start): void {
    this.#isLoading = true;
    this.#isFilling = true;
    this.disk?.beginLoad({ start, end });
  }

  endLoad(): void {
    const steps = this.endLoadInSteps();
    while (steps.next().done !== true);
  }

  /** The same, of which each step takes about a millisecond. Nobody may use the engine in between. */
  *endLoadInSteps(): Generator<void, void> {
    this.#isLoading = false;
    this.#isFilling = false;
    this.disk?.endLoad();
    for (const space of this.catalog.inOrder()) yield* space.endLoadInSteps();
  }

  #beginIndexOfRow(payload: Uint8Array, at: number, rows: number): IndexBuild | undefined {
    const row = this.#codec.decodeRow(payload, at);
    assert(row.kind === 'create-index', 'a row is what its kind says');
    const space = this.catalog.findId(row.space);
    if (space === undefined || space.overlay !== undefined || space.size <= rows) return undefined;
    const isThere = space.definition.indexes.some(({ id }) => id === row.index.id);
    return isThere ? undefined : space.beginIndex(row.index);
  }

  #apply(payload: Uint8Array, at: number, end: number): void {
    const kindAt = firstField(payload, at);
    const kind = payload[kindAt];
    if (kind === rowKinds.replace) this.#applyReplace(payload, kindAt + 1, end);
    else if (kind === rowKinds.delete) this.#applyDelete(payload, kindAt + 1);
    else {
      this.#applyOther(this.#codec.decodeRow(payload, at));
    }
  }

  #applyReplace(payload: Uint8Array, spaceAt: number, end: number): void {
    const space = this.#spaceOfRow(integerAt(payload, spaceAt));
    if (space === undefined || this.#isStored(space)) return;
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
    space.overlay?.change(handle);
    if (space.previous !== 0) arena.free(space.previous);
  }

  #applyDelete(payload: Uint8Array, spaceAt: number): void {
    const space = this.#spaceOfRow(integerAt(payload, spaceAt));
    if (space === undefined || this.#isStored(space)) return;
    const keyAt = skip(payload, spaceAt);
    space.overlay?.changeKey(payload, keyAt, fieldCount(payload, keyAt));
    const handle = isEarlierKey(space, payload, keyAt)
      ? space.primary().findKey(keyOfPresentFormat(space, payload, keyAt), 0)
      : space.primary().findKey(payload, keyAt);
    if (handle === 0) return;
    space.remove(handle);
    this.memory.arena.free(handle);
  }

  /** Has the disk a row of this space that is applied now, so that memory needs it not? */
  #isStored(space: MemorySpace): boolean {
    return space.overlay !== undefined && this.disk?.isCatchingUp === true;
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
        this.schemaVersion += 1;
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
      this.catalog.add(this.newSpace(row.definition, { isLoading: this.#isLoading }));
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
        this.catalog.add(this.#emptied(space));
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

  #emptied(space: MemorySpace): MemorySpace {
    const isLoading = this.#isLoading;
    const isStored = this.disk?.isCatchingUp === true;
    return this.newSpace(space.definition, isStored ? { isLoading } : { isLoading, before: space });
  }

  #drop(space: MemorySpace): void {
    this.catalog.remove(space);
    this.discard(space);
  }
}
