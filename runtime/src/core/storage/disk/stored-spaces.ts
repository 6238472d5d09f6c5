/**
 * Rows of disk spaces in an ordered store: what the log makes of them, up to a position that is stored with them.
 *
 * The state is a function of the log alone. Only acknowledged rows come here, so nothing is ever taken back; should
 * the log be cut below the position all the same, everything is made anew from a snapshot and the log. Under its
 * primary key lies a row; under the keys of other indexes, each with the primary key behind it, lies that key.
 */
import type { Position } from '../../../contract/instance-status.ts';
import { assert } from '../../../foundation/assert.ts';
import { skip } from '../../msgpack/skip.ts';
import { type IndexDefinition, sameIndex } from '../../schema/space-definition.ts';
import { fieldCount, firstField, integerAt } from '../memory/raw-values.ts';
import { type Row, RowCodec, rowKinds } from '../rows.ts';
import { behindAll, compareKeys, joinKeys } from './index-keys.ts';
import type { OrderedStore } from './ordered-store.ts';
import {
  loadState,
  prefixOf,
  type StoredIndex,
  type StoredSpace,
  type StoredState,
  saveState,
  storedIndex,
} from './stored-state.ts';

/** A row that is in the store now: where its tuple or its key lies in the payload. */
export interface SettledRow {
  readonly space: number;
  readonly kind: 'replace' | 'delete' | 'truncate' | 'schema';
  /** Its primary key; empty for a change of the schema. */
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
  readonly at: number;
}

/** A snapshot has all rows up to its start, and any of those from there to its end. */
export interface SnapshotRange {
  readonly start: Position;
  readonly end: Position;
}

const NOTHING = new Uint8Array();
const GARBAGE_STEP = 500;

export class StoredSpaces {
  readonly store: OrderedStore;
  readonly #state: StoredState;
  readonly #codec = new RowCodec();
  #settled: SettledRow[] = [];

  constructor(store: OrderedStore) {
    this.store = store;
    this.#state = loadState(store);
  }

  get position(): Position {
    return this.#state.position;
  }

  get isFilling(): boolean {
    return this.#state.isFilling;
  }

  /** The end of the snapshot that it was filled from: rows up to there may be in it, whatever its position is. */
  get filledTo(): Position | undefined {
    return this.#state.filledTo;
  }

  get isEmpty(): boolean {
    const { spaces, garbage, position } = this.#state;
    return spaces.size === 0 && garbage.length === 0 && position.sequence === 0;
  }

  find(id: number): StoredSpace | undefined {
    return this.#state.spaces.get(id);
  }

  /** Applies rows of the log, all of them or none; gives those of disk spaces. */
  apply(payloads: readonly Uint8Array[], position: Position): readonly SettledRow[] {
    this.#settled = [];
    this.store.change(() => {
      for (const payload of payloads) this.#applyRows(payload);
      this.#state.position = position;
      saveState(this.store, this.#state);
    });
    return this.#settled;
  }

  /** Rows of a snapshot. */
  fill(payload: Uint8Array, { start, end }: SnapshotRange): void {
    this.#state.isFilling = true;
    this.#state.filledTo = end;
    this.apply([payload], start);
  }

  endFill(): void {
    if (!this.#state.isFilling) return;
    this.#state.isFilling = false;
    this.store.change(() => saveState(this.store, this.#state));
  }

  /** The index as it is defined; the newest, should there be an older one of the same number. */
  index(space: StoredSpace, definition: IndexDefinition): StoredIndex | undefined {
    return space.indexes.findLast(
      (index) => index.definition.id === definition.id && sameIndex(index.definition, definition),
    );
  }

  /** Builds an index whose row is not acknowledged yet; shows it all tuples. */
  build(
    space: StoredSpace,
    definition: IndexDefinition,
    visit: (key: Uint8Array, tuple: Uint8Array) => void = () => undefined,
  ): StoredIndex {
    const index = storedIndex(definition, this.#state.nextNumber++, true);
    this.store.change(() => this.#fillIndex(space, index, visit));
    space.indexes.push(index);
    return index;
  }

  /** Takes an early index back. */
  discard(space: StoredSpace, index: StoredIndex): void {
    space.indexes = space.indexes.filter((each) => each !== index);
    this.#state.garbage.push(index.number);
  }

  /** Removes some entries of indexes that are gone; false when nothing is left. */
  collectGarbage(): boolean {
    const [number] = this.#state.garbage;
    if (number === undefined) return false;
    const prefix = prefixOf(number);
    const keys: Uint8Array[] = [];
    this.store.walk({ from: prefix, to: behindAll(prefix) }, (key) => {
      keys.push(key.slice());
      return keys.length < GARBAGE_STEP;
    });
    this.store.change(() => {
      for (const key of keys) this.store.remove(key);
      if (keys.length === GARBAGE_STEP) return;
      this.#state.garbage.shift();
      saveState(this.store, this.#state);
    });
    return true;
  }

  #fillIndex(
    space: StoredSpace,
    index: StoredIndex,
    visit: (key: Uint8Array, tuple: Uint8Array) => void,
  ): void {
    const primary = space.indexes.find(({ definition }) => definition.id === 0);
    if (primary === undefined) return;
    const { length } = primary.prefix;
    this.#chunks(primary, (entries) => {
      for (const { key, value } of entries) {
        const own = key.subarray(length);
        visit(own, value);
        this.#putEntry(index, value, 0, own);
      }
    });
  }

  /** All entries of an index, some at a time, so that the store may change meanwhile. */
  #chunks(
    { prefix }: StoredIndex,
    give: (entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]) => void,
  ): void {
    const to = behindAll(prefix);
    let from = prefix;
    for (;;) {
      const entries: { key: Uint8Array; value: Uint8Array }[] = [];
      this.store.walk({ from, to }, (key, value) => {
        entries.push({ key, value });
        return entries.length < GARBAGE_STEP;
      });
      give(entries);
      const last = entries.at(-1);
      if (last === undefined || entries.length < GARBAGE_STEP) return;
      from = behindAll(last.key);
    }
  }

  #applyRows(payload: Uint8Array): void {
    let at = firstField(payload, 0);
    for (let left = fieldCount(payload, 0); left > 0; left--) {
      const end = skip(payload, at);
      const kindAt = firstField(payload, at);
      const kind = payload[kindAt];
      if (kind === rowKinds.replace || kind === rowKinds.delete) {
        const space = this.#state.spaces.get(integerAt(payload, kindAt + 1));
        const contentAt = space === undefined ? 0 : skip(payload, kindAt + 1);
        if (space !== undefined && kind === rowKinds.delete) {
          this.#delete(space, payload, contentAt);
        } else if (space !== undefined) this.#replace(space, payload, contentAt, end);
      } else this.#applySchema(this.#codec.decodeRow(payload, at));
      at = end;
    }
  }

  #replace(space: StoredSpace, payload: Uint8Array, at: number, end: number): void {
    const primary = primaryOf(space);
    const key = primary.keys.ofTuple(payload, at);
    const whole = joinKeys(primary.prefix, key);
    const previous = this.store.get(whole);
    const others = space.indexes.filter(({ definition }) => definition.id !== 0);
    for (const index of others) {
      if (previous !== undefined) this.#replaceEntry(index, { previous, payload, at, key });
      else this.#putEntry(index, payload, at, key);
    }
    this.store.put(whole, payload.subarray(at, end));
    if (previous === undefined) space.rows += 1;
    this.#settled.push({ space: space.id, kind: 'replace', key, payload, at });
  }

  #delete(space: StoredSpace, payload: Uint8Array, at: number): void {
    const primary = primaryOf(space);
    const key = primary.keys.ofKey(payload, at, fieldCount(payload, at));
    const whole = joinKeys(primary.prefix, key);
    const previous = this.store.get(whole);
    if (previous !== undefined) {
      for (const index of space.indexes) {
        const entry = index === primary ? undefined : this.#entryKey(index, previous, 0, key);
        if (entry !== undefined) this.store.remove(entry);
      }
      this.store.remove(whole);
      space.rows -= 1;
    }
    this.#settled.push({ space: space.id, kind: 'delete', key, payload, at });
  }

  #putEntry(index: StoredIndex, tuple: Uint8Array, at: number, key: Uint8Array): void {
    const entry = this.#entryKey(index, tuple, at, key);
    if (entry !== undefined) this.store.put(entry, key);
  }

  #replaceEntry(
    index: StoredIndex,
    row: {
      readonly previous: Uint8Array;
      readonly payload: Uint8Array;
      readonly at: number;
      readonly key: Uint8Array;
    },
  ): void {
    const { previous, payload, at, key } = row;
    const before = this.#entryKey(index, previous, 0, key);
    const after = this.#entryKey(index, payload, at, key);
    if (before !== undefined && after !== undefined && compareKeys(before, after) === 0) return;
    if (before !== undefined) this.store.remove(before);
    if (after !== undefined) this.store.put(after, key);
  }

  /**
   * Undefined when the index leaves the tuple out. One that is built early meets rows of before the row that creates
   * it: those with keys that are too long are replaced or deleted by then.
   */
  #entryKey(
    { prefix, keys }: StoredIndex,
    tuple: Uint8Array,
    at: number,
    primaryKey: Uint8Array,
  ): Uint8Array | undefined {
    if (keys.excludes(tuple, at)) return undefined;
    const entry = joinKeys(prefix, keys.ofTuple(tuple, at), primaryKey);
    return entry.length > this.store.keyBytesMax ? undefined : entry;
  }

  #applySchema(row: Row): void {
    const { spaces } = this.#state;
    if (row.kind === 'create-space') {
      const { id, engine, indexes } = row.definition;
      this.#dropSpace(id);
      if (engine !== 'disk') return;
      const stored = indexes.map((index) => storedIndex(index, this.#state.nextNumber++, false));
      spaces.set(id, { id, rows: 0, indexes: stored });
      this.#settledSchema(id, 'schema');
      return;
    }
    if (!('space' in row)) return;
    const space = spaces.get(row.space);
    if (space === undefined) return;
    if (row.kind === 'drop-space') this.#dropSpace(row.space);
    else if (row.kind === 'truncate') this.#truncate(space);
    else if (row.kind === 'create-index') this.#createIndex(space, row.index);
    else if (row.kind === 'drop-index') this.#dropIndex(space, row.index);
    this.#settledSchema(space.id, row.kind === 'truncate' ? 'truncate' : 'schema');
  }

  #settledSchema(space: number, kind: 'truncate' | 'schema'): void {
    this.#settled.push({ space, kind, key: NOTHING, payload: NOTHING, at: 0 });
  }

  #dropSpace(id: number): void {
    const space = this.#state.spaces.get(id);
    if (space === undefined) return;
    this.#state.spaces.delete(id);
    this.#state.garbage.push(...space.indexes.map(({ number }) => number));
  }

  #truncate(space: StoredSpace): void {
    this.#state.garbage.push(...space.indexes.map(({ number }) => number));
    space.rows = 0;
    space.indexes = space.indexes.map(({ definition, isEarly }) =>
      storedIndex(definition, this.#state.nextNumber++, isEarly),
    );
  }

  #createIndex(space: StoredSpace, definition: IndexDefinition): void {
    let made = space.indexes.find(
      (index) =>
        index.isEarly &&
        index.definition.id === definition.id &&
        sameIndex(index.definition, definition),
    );
    if (made === undefined) {
      made = storedIndex(definition, this.#state.nextNumber++, false);
      this.#fillIndex(space, made, () => undefined);
      space.indexes.push(made);
    }
    made.isEarly = false;
  }

  #dropIndex(space: StoredSpace, id: number): void {
    const dropped = space.indexes.find(
      ({ definition, isEarly }) => definition.id === id && !isEarly,
    );
    if (dropped !== undefined) this.discard(space, dropped);
  }
}

function primaryOf(space: StoredSpace): StoredIndex {
  const primary = space.indexes.find(({ definition }) => definition.id === 0);
  assert(primary !== undefined, 'rows come after the primary index of their space');
  return primary;
}
