/**
 * A disk space as the memory engine has it: what is not in the store yet, and for moments what was read from there.
 *
 * A row that was changed stays in memory until the store has the change; its key is *changed* so long, and the store
 * says nothing about it: not in memory then means deleted. Before an operation looks for a row, what the store has of
 * it is put into memory (it is *warm* then), so that indexes, checks and transactions work on it as on any other.
 * Warm rows go when nothing holds them any more.
 */
import { assert } from '../../../foundation/assert.ts';
import { ClusterError } from '../../errors.ts';
import type { IndexDefinition, SpaceDefinition } from '../../schema/space-definition.ts';
import type { MemoryIndex } from '../memory/memory-index.ts';
import type { MemorySpace } from '../memory/memory-space.ts';
import { TupleCheck } from '../memory/tuple-check.ts';
import { behindAll, bytesOf, compareKeys, IndexKeys, joinKeys, textOf } from './index-keys.ts';
import type { OrderedRange } from './ordered-store.ts';
import type { DiskContext, SpaceOverlay } from './space-overlay.ts';
import type { SettledRow } from './stored-spaces.ts';
import type { StoredIndex, StoredSpace } from './stored-state.ts';

const WARM_MOST = 1000;
const PREFIX = 4;

const applied = { isInsert: false, isNew: false } as const;

export class DiskOverlay implements SpaceOverlay {
  readonly context: DiskContext;
  readonly space: MemorySpace;
  truncations: number;
  readonly #changed = new Map<string, number>();
  /** Rows that are as they are in the store, and their handles, unless their keys are changed. */
  readonly #warm = new Map<string, number>();
  readonly #keys = new WeakMap<IndexDefinition, IndexKeys>();

  constructor(context: DiskContext, space: MemorySpace, truncations = 0) {
    this.context = context;
    this.space = space;
    this.truncations = truncations;
  }

  get stored(): StoredSpace | undefined {
    return this.truncations === 0 ? this.context.stored.find(this.space.id) : undefined;
  }

  change(handle: number): void {
    const key = this.#textAt(handle);
    this.#changed.set(key, (this.#changed.get(key) ?? 0) + 1);
  }

  changeKey(bytes: Uint8Array, keyAt: number, parts: number): void {
    const key = textOf(this.#keysOf(this.space.primary()).ofKey(bytes, keyAt, parts));
    this.#changed.set(key, (this.#changed.get(key) ?? 0) + 1);
  }

  unchange(handle: number): void {
    this.#oneLess(this.#textAt(handle));
  }

  settle({ key: keyBytes, kind, payload, at }: SettledRow): number {
    if (kind === 'truncate') this.truncations = Math.max(0, this.truncations - 1);
    // What was written before a truncation is not in memory any more.
    if (kind === 'truncate' || kind === 'schema' || this.truncations > 0) return 0;
    const key = textOf(keyBytes);
    if (this.#oneLess(key) > 0) return 0;
    this.#warm.delete(key);
    if (kind === 'delete') return 0;
    const { space } = this;
    space.check.locate(payload, at);
    const handle = space.primary().findSame(payload, space.check.positions);
    assert(handle !== 0, 'a row stays in memory until the store has it');
    space.remove(handle);
    return handle;
  }

  count(): number {
    const { stored, space } = this;
    // What stays in memory are rows whose keys are changed.
    this.cool();
    const { size } = space.primary();
    if (stored === undefined) return size;
    const { store } = this.context.stored;
    const primary = this.#indexOf(stored, space.primary().definition);
    let known = 0;
    for (const key of this.#changed.keys()) {
      if (store.get(joinKeys(primary.prefix, bytesOf(key))) !== undefined) known += 1;
    }
    return size + stored.rows - known;
  }

  cool(): void {
    for (const [key, handle] of this.#warm) {
      if (this.#changed.has(key)) continue;
      this.space.remove(handle);
      this.context.arena.free(handle);
      this.#warm.delete(key);
    }
  }

  warmKey(index: MemoryIndex, bytes: Uint8Array, keyAt: number): void {
    if (this.#warm.size > WARM_MOST) this.cool();
    const { stored } = this;
    if (stored === undefined) return;
    const where = this.#indexOf(stored, index.definition);
    const key = joinKeys(where.prefix, where.keys.ofKey(bytes, keyAt, index.order.ownParts));
    if (key.length > this.context.keyBytesMax) return;
    if (index.definition.id === 0) this.#warmPrimary(key);
    else this.#warmRange(stored, where, { from: key, to: behindAll(key) }, 1);
  }

  warmTuple(bytes: Uint8Array, at: number): void {
    const { stored, space } = this;
    const primaryKey = this.#keysOf(space.primary()).ofTuple(bytes, at);
    for (const index of space.indexes) {
      const { definition } = index;
      const keys = this.#keysOf(index);
      const own = definition.id === 0 ? primaryKey : keys.ofTuple(bytes, at);
      const length = PREFIX + own.length + (definition.id === 0 ? 0 : primaryKey.length);
      if (length > this.context.keyBytesMax) this.#refuseLength(definition, length);
      if (stored === undefined || !definition.unique || keys.hasNil(bytes, at)) continue;
      const where = this.#indexOf(stored, definition);
      const key = joinKeys(where.prefix, own);
      if (definition.id === 0) this.#warmPrimary(key);
      else this.#warmRange(stored, where, { from: key, to: behindAll(key) }, 1);
    }
    space.check.locate(bytes, at);
  }

  warmFirst(
    index: MemoryIndex,
    range: (where: StoredIndex) => OrderedRange,
    most: number,
  ): { readonly count: number; readonly isAll: boolean } {
    const { stored } = this;
    if (stored === undefined) return { count: 0, isAll: true };
    const where = this.#indexOf(stored, index.definition);
    return this.#warmRange(stored, where, range(where), most);
  }

  isOfStore(key: Uint8Array): boolean {
    const text = textOf(key);
    return !this.#changed.has(text) && !this.#warm.has(text);
  }

  primaryKeyAt(handle: number): Uint8Array {
    const { arena } = this.context;
    return this.primaryKeyOf(arena.chunkOf(handle), arena.startOf(handle));
  }

  primaryKeyOf(tuple: Uint8Array, at: number): Uint8Array {
    return this.#keysOf(this.space.primary()).ofTuple(tuple, at);
  }

  requireBuildable(definition: IndexDefinition): void {
    const rows = this.count();
    if (rows > this.context.builtRows) this.#refuseBuild(definition, rows);
    const keys = new IndexKeys(definition);
    const { arena } = this.context;
    for (const handle of this.space.primary().handles()) {
      const key = this.primaryKeyAt(handle);
      this.#requireLength(keys, arena.chunkOf(handle), arena.startOf(handle), key);
    }
  }

  addIndex(next: SpaceDefinition, index: MemoryIndex): boolean {
    const { stored } = this;
    const { definition } = index;
    if (this.context.isCatchingUp) return false;
    if (stored === undefined) return false;
    const check = new TupleCheck(next);
    const keys = new IndexKeys(definition);
    try {
      const built = this.context.stored.build(stored, definition, (key, tuple) => {
        if (!this.isOfStore(key)) return;
        check.check(tuple, 0, tuple.length);
        this.#requireLength(keys, tuple, 0, key);
      });
      if (!definition.unique || !this.#hasDuplicate(built, index)) return false;
      this.context.stored.discard(stored, built);
      return true;
    } catch (error) {
      index.dispose();
      throw error;
    }
  }

  removeIndex(definition: IndexDefinition): void {
    const { stored } = this;
    const built = stored === undefined ? undefined : this.context.stored.index(stored, definition);
    if (stored !== undefined && built?.isEarly === true) this.context.stored.discard(stored, built);
  }

  completeIndexes(): void {
    const { stored } = this;
    if (stored === undefined) return;
    for (const { definition } of this.space.indexes) {
      if (this.context.stored.index(stored, definition) === undefined) {
        this.context.stored.build(stored, definition);
      }
    }
  }

  #hasDuplicate(built: StoredIndex, index: MemoryIndex): boolean {
    const { store } = this.context.stored;
    const { prefix } = built;
    let before: Uint8Array | undefined;
    const found = { isTwice: false };
    store.walk({ from: prefix, to: behindAll(prefix) }, (key, primaryKey) => {
      if (!this.isOfStore(primaryKey)) return true;
      const own = key.slice(0, key.length - primaryKey.length);
      const isAgain = before !== undefined && compareKeys(before, own) === 0;
      found.isTwice = isAgain && !this.#isNil(built, own);
      before = own;
      return !found.isTwice;
    });
    return found.isTwice || this.#hasInBoth(built, index);
  }

  /** Has a row in memory a key of the index that one of the store has? */
  #hasInBoth({ prefix, keys }: StoredIndex, index: MemoryIndex): boolean {
    const { store } = this.context.stored;
    const { arena } = this.context;
    let found = false;
    for (const handle of index.handles()) {
      const bytes = arena.chunkOf(handle);
      const at = arena.startOf(handle);
      if (keys.hasNil(bytes, at)) continue;
      const from = joinKeys(prefix, keys.ofTuple(bytes, at));
      store.walk({ from, to: behindAll(from) }, (_key, primaryKey) => {
        found ||= this.isOfStore(primaryKey);
        return !found;
      });
    }
    return found;
  }

  /** Of keys alone it cannot be told where a part begins, so rows with equal keys are asked. */
  #isNil({ keys }: StoredIndex, own: Uint8Array): boolean {
    let isNil = false;
    const { store } = this.context.stored;
    const { stored } = this;
    store.walk({ from: own, to: behindAll(own) }, (_key, primaryKey) => {
      const primary = stored?.indexes.find(({ definition }) => definition.id === 0);
      const tuple = primary && store.get(joinKeys(primary.prefix, primaryKey));
      isNil = tuple !== undefined && keys.hasNil(tuple, 0);
      return false;
    });
    return isNil;
  }

  #warmPrimary(key: Uint8Array): void {
    if (!this.isOfStore(key.subarray(PREFIX))) return;
    const tuple = this.context.stored.store.get(key);
    if (tuple !== undefined) this.#warmRow(key.subarray(PREFIX), tuple);
  }

  #warmRange(
    stored: StoredSpace,
    where: StoredIndex,
    range: OrderedRange,
    most: number,
  ): { readonly count: number; readonly isAll: boolean } {
    const { store } = this.context.stored;
    const found: { readonly key: Uint8Array; readonly tuple: Uint8Array }[] = [];
    const isPrimary = where.definition.id === 0;
    const primary = stored.indexes.find(({ definition }) => definition.id === 0);
    let count = 0;
    let bytes = 0;
    let isAll = true;
    store.walk(range, (entryKey, value) => {
      const key = isPrimary ? entryKey.subarray(PREFIX) : value;
      if (this.#changed.has(textOf(key))) return true;
      if (count === most || bytes >= this.context.pageBytes) {
        isAll = false;
        return false;
      }
      count += 1;
      if (this.#warm.has(textOf(key))) return true;
      const tuple = isPrimary ? value : primary && store.get(joinKeys(primary.prefix, key));
      assert(tuple !== undefined, 'an index names rows that are there');
      bytes += tuple.length;
      found.push({ key, tuple });
      return true;
    });
    for (const { key, tuple } of found) this.#warmRow(key, tuple);
    return { count, isAll };
  }

  #warmRow(key: Uint8Array, tuple: Uint8Array): void {
    const { space } = this;
    space.check.locate(tuple, 0);
    this.#warm.set(textOf(key), space.put(tuple, 0, tuple.length, applied));
  }

  #oneLess(key: string): number {
    const left = (this.#changed.get(key) ?? 0) - 1;
    assert(left >= 0, 'a change that was made is settled once');
    if (left === 0) this.#changed.delete(key);
    else this.#changed.set(key, left);
    return left;
  }

  #textAt(handle: number): string {
    return textOf(this.primaryKeyAt(handle));
  }

  #keysOf({ definition }: MemoryIndex): IndexKeys {
    let keys = this.#keys.get(definition);
    if (keys === undefined) {
      keys = new IndexKeys(definition);
      this.#keys.set(definition, keys);
    }
    return keys;
  }

  #indexOf(stored: StoredSpace, definition: IndexDefinition): StoredIndex {
    const index = this.context.stored.index(stored, definition);
    assert(index !== undefined, `the store has index ${definition.name} of ${this.space.name}`);
    return index;
  }

  #requireLength(keys: IndexKeys, tuple: Uint8Array, at: number, key: Uint8Array): void {
    if (keys.excludes(tuple, at)) return;
    const length = PREFIX + keys.ofTuple(tuple, at).length + key.length;
    if (length > this.context.keyBytesMax) this.#refuseLength(keys.definition, length);
  }

  #refuseLength({ name }: IndexDefinition, length: number): never {
    throw new ClusterError('TUPLE_INVALID', {
      field: `${this.space.name}.${name}`,
      message:
        `A key of "${this.space.name}.${name}" would have ${length} bytes; a space of engine ` +
        `"disk" has keys of at most ${this.context.keyBytesMax}, with those of the primary index.`,
    });
  }

  #refuseBuild({ name }: IndexDefinition, rows: number): never {
    throw new ClusterError('REQUEST_INVALID', {
      field: `${this.space.name}.${name}`,
      message:
        `"${this.space.name}" has ${rows} rows; an index of a disk space is created over at most ` +
        `${this.context.builtRows} of them. Create a space with all its indexes and move the rows there.`,
    });
  }
}
