/** A transaction of the memory engine, with rows as JavaScript values. */
import { assert } from '../../../foundation/assert.ts';
import { ClusterError } from '../../errors.ts';
import { decode } from '../../msgpack/decode.ts';
import { MsgpackWriter } from '../../msgpack/encode.ts';
import type { Integer, SequenceDefinition, SequenceOptions } from '../../schema/sequences.ts';
import {
  type IndexDefinition,
  type IndexOptions,
  type SpaceDefinition,
  storedKey,
  storedTuple,
} from '../../schema/space-definition.ts';
import { encodeKey, encodeTuple } from '../../schema/tuple-bytes.ts';
import type { Tuple } from '../../schema/values.ts';
import { walkDisk } from '../disk/disk-walk.ts';
import type {
  CreateOptions,
  IteratorType,
  OpenTransaction,
  SelectOptions,
  SpaceOptions,
  UpdateOperation,
} from '../engine.ts';
import { encodedOperations } from './encoded-operations.ts';
import type { MemoryIndex } from './memory-index.ts';
import type { MemoryRows } from './memory-rows.ts';
import { MemorySchema } from './memory-schema.ts';
import type { MemorySpace } from './memory-space.ts';
import { iterators, noOrder, Selection } from './selection.ts';

export class MemoryTransaction implements OpenTransaction {
  readonly touched = new Set<number>();
  readonly #engine: MemoryRows;
  readonly #schema: MemorySchema;
  readonly #writer = new MsgpackWriter();
  #ended = false;

  constructor(engine: MemoryRows) {
    this.#engine = engine;
    this.#schema = new MemorySchema(engine);
  }

  commit(): number {
    this.#ended = true;
    return this.#engine.commitChanges();
  }

  rollback(): void {
    this.#ended = true;
    this.#engine.rollbackChanges();
  }

  spaces(): readonly SpaceDefinition[] {
    return this.#engine.catalog.definitions();
  }

  space(name: string): SpaceDefinition | undefined {
    return this.#engine.catalog.find(name)?.definition;
  }

  get(spaceName: string, key: readonly unknown[], indexName?: string): Tuple | undefined {
    const space = this.#space(spaceName);
    const handle = this.#find(space, space.indexByName(indexName), key);
    return handle === 0 ? undefined : this.#tuple(handle);
  }

  select(space: string, key: readonly unknown[], options: SelectOptions = {}): readonly Tuple[] {
    const tuples: Tuple[] = [];
    this.#walk(space, key, options, (handle) => tuples.push(this.#tuple(handle)));
    return tuples;
  }

  count(space: string, key: readonly unknown[] = [], options: SelectOptions = {}): number {
    // Nobody should wait for a walk through all rows whose number is known.
    if (key.length === 0 && Object.keys(options).length === 0) {
      const counted = this.#space(space);
      return counted.overlay?.count() ?? counted.primary().size;
    }
    let count = 0;
    this.#walk(space, key, options, () => {
      count += 1;
    });
    return count;
  }

  min(space: string, key: readonly unknown[] = [], index?: string): Tuple | undefined {
    return this.#end(space, key, { index, iterator: 'EQ' });
  }

  max(space: string, key: readonly unknown[] = [], index?: string): Tuple | undefined {
    return this.#end(space, key, { index, iterator: 'REQ' });
  }

  insert(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = this.#stored(space, values);
    const { bytes, length } = this.#encoded(space, tuple);
    this.#engine.insert(space, bytes, 0, length);
    return tuple;
  }

  replace(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = this.#stored(space, values);
    const { bytes, length } = this.#encoded(space, tuple);
    this.#engine.replace(space, bytes, 0, length);
    return tuple;
  }

  update(
    spaceName: string,
    key: readonly unknown[],
    operations: readonly UpdateOperation[],
  ): Tuple | undefined {
    const space = this.#space(spaceName);
    const handle = this.#find(space, space.primary(), key);
    if (handle === 0) return undefined;
    const encoded = encodedOperations(space, operations);
    return this.#tuple(this.#engine.update(space, handle, encoded, space.repeatableFields));
  }

  upsert(
    spaceName: string,
    values: readonly unknown[],
    operations: readonly UpdateOperation[],
  ): void {
    const space = this.#space(spaceName);
    const tuple = this.#stored(space, values);
    const encoded = encodedOperations(space, operations);
    const { bytes, length } = this.#encoded(space, tuple);
    const inserted = { bytes, start: 0, end: length };
    this.#engine.upsert(space, inserted, encoded, space.repeatableFields);
  }

  delete(spaceName: string, key: readonly unknown[]): Tuple | undefined {
    const space = this.#space(spaceName);
    const handle = this.#find(space, space.primary(), key);
    if (handle === 0) return undefined;
    const tuple = this.#tuple(handle);
    this.#engine.remove(space, handle);
    return tuple;
  }

  createSpace(name: string, options: SpaceOptions): SpaceDefinition {
    const space = this.#schema.createSpace(name, options);
    this.touched.add(space.id);
    return space;
  }

  dropSpace(name: string): void {
    this.#schema.dropSpace(this.#space(name));
  }

  truncate(name: string): void {
    this.#schema.truncate(this.#space(name));
  }

  createIndex(spaceName: string, options: IndexOptions & CreateOptions): IndexDefinition {
    return this.#schema.createIndex(this.#space(spaceName), options);
  }

  dropIndex(spaceName: string, indexName: string): void {
    this.#schema.dropIndex(this.#space(spaceName), indexName);
  }

  sequences(): readonly SequenceDefinition[] {
    return [...this.#engine.catalog.sequences.values()].map(({ definition }) => definition);
  }

  createSequence(name: string, options: SequenceOptions & CreateOptions = {}): SequenceDefinition {
    return this.#schema.createSequence(name, options);
  }

  dropSequence(name: string): void {
    this.#schema.dropSequence(name);
  }

  nextOf(sequence: string): Integer {
    return this.#schema.nextOf(sequence);
  }

  setSequence(name: string, value?: Integer): void {
    this.#schema.setSequence(name, value);
  }

  #space(name: string): MemorySpace {
    assert(!this.#ended, 'a transaction is not used after its end');
    const space = this.#engine.catalog.byName(name);
    this.touched.add(space.id);
    return space;
  }

  #tuple(handle: number): Tuple {
    const { arena } = this.#engine.memory;
    return Object.freeze(decode(arena.chunkOf(handle), arena.startOf(handle))) as Tuple;
  }

  /** A key of a sequence that was left out is its next value. */
  #stored(space: MemorySpace, values: readonly unknown[]): Tuple {
    const { sequence, parts } = space.primary().definition;
    const field = parts[0]?.field ?? 0;
    if (sequence === undefined) return storedTuple(space.definition, values);
    if ((values[field] ?? null) !== null) {
      const tuple = storedTuple(space.definition, values);
      this.#schema.passSequence(sequence, tuple[field] as Integer);
      return tuple;
    }
    const filled = [...values];
    while (filled.length < field) filled.push(null);
    filled[field] = this.#schema.nextOf(sequence);
    return storedTuple(space.definition, filled);
  }

  #end(
    space: string,
    key: readonly unknown[],
    options: { readonly index: string | undefined; readonly iterator: IteratorType },
  ): Tuple | undefined {
    const { index, iterator } = options;
    const owner = this.#space(space);
    const { definition } = owner.indexByName(index);
    if (definition.type === 'hash') throw noOrder(owner, definition, 'ends');
    const named = index === undefined ? {} : { index };
    return this.select(space, key, { ...named, iterator, limit: 1 })[0];
  }

  /** Located too. */
  #encoded(space: MemorySpace, tuple: Tuple): MsgpackWriter {
    const writer = this.#writer;
    writer.length = 0;
    encodeTuple(space.definition, tuple, writer);
    space.check.locate(writer.bytes, 0);
    return writer;
  }

  #find(space: MemorySpace, index: MemoryIndex, key: readonly unknown[]): number {
    const { definition } = index;
    const stored = storedKey(space.definition, definition, key);
    if (!definition.unique || stored.length !== definition.parts.length) {
      const name = `${space.name}.${definition.name}`;
      throw new ClusterError('TUPLE_INVALID', {
        field: name,
        message: `"get" needs a full key of a unique index, which "${name}" was not given.`,
      });
    }
    const writer = this.#writer;
    writer.length = 0;
    encodeKey(definition, stored, writer);
    space.overlay?.warmKey(index, writer.bytes, 0);
    return index.findKey(writer.bytes, 0);
  }

  #walk(
    spaceName: string,
    key: readonly unknown[],
    options: SelectOptions,
    visit: (handle: number) => void,
  ): void {
    const space = this.#space(spaceName);
    const index = space.indexByName(options.index);
    const stored = storedKey(space.definition, index.definition, key);
    const { iterator = 'EQ', after, offset = 0, limit = Number.POSITIVE_INFINITY } = options;
    const writer = new MsgpackWriter();
    encodeKey(index.definition, stored, writer);
    const afterAt = after === undefined ? -1 : writer.length;
    if (after !== undefined) {
      encodeTuple(space.definition, storedTuple(space.definition, after), writer);
    }
    const selection = new Selection();
    const range = {
      bytes: writer.bytes,
      iterator: numberOf(iterator),
      keyAt: 0,
      keyParts: stored.length,
      afterAt,
    };
    if (space.overlay !== undefined) {
      walkDisk(selection, { space, index, range, offset, limit }, visit);
      return;
    }
    selection.start(space, index, range);
    for (let skipped = 0; skipped < offset; skipped++) if (selection.next() === 0) return;
    for (let given = 0; given < limit; given++) {
      const handle = selection.next();
      if (handle === 0) return;
      visit(handle);
    }
  }
}

function numberOf(iterator: IteratorType): number {
  return iterators[iterator];
}
