/** A transaction of the engine in plain JavaScript: it works in place, and remembers how to undo each step. */
import { assert } from '../../foundation/assert.ts';
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import type { Integer, SequenceDefinition, SequenceOptions } from '../schema/sequences.ts';
import {
  type IndexDefinition,
  type IndexOptions,
  indexDefinition,
  type SpaceDefinition,
  sameAcknowledgement,
  sameFormat,
  sameIndex,
  spaceAcknowledgement,
  spaceEngine,
  spaceFormat,
  storedTuple,
} from '../schema/space-definition.ts';
import { encodeKey, encodeTuple } from '../schema/tuple-bytes.ts';
import type { Tuple } from '../schema/values.ts';
import type {
  CreateOptions,
  OpenTransaction,
  SelectOptions,
  SpaceOptions,
  UpdateOperation,
} from './engine.ts';
import type { Catalog } from './reference-engine-catalog.ts';
import { ReferenceSequences, refuseExisting } from './reference-engine-sequences.ts';
import { ReferenceSpace } from './reference-space.ts';
import type { RowMark, RowWriter } from './row-writer.ts';
import type { Row } from './rows.ts';
import { checkUpdate, updated, upserted } from './update-operations.ts';

/** Ids below are left to Tarantool's system spaces. */
const FIRST_SPACE_ID = 512;

export class ReferenceTransaction implements OpenTransaction {
  readonly touched = new Set<number>();
  readonly #catalog: Catalog;
  readonly #rows: RowWriter;
  readonly #mark: RowMark;
  readonly #undo: (() => void)[] = [];
  readonly #sequences: ReferenceSequences;
  readonly #writer = new MsgpackWriter();
  #ended = false;

  constructor(catalog: Catalog, rows: RowWriter) {
    this.#catalog = catalog;
    this.#rows = rows;
    this.#mark = rows.mark();
    this.#sequences = new ReferenceSequences(catalog, (row, undo) => this.#did(row, undo));
  }

  get ended(): boolean {
    return this.#ended;
  }

  commit(): number {
    this.#ended = true;
    return this.#rows.count - this.#mark.count;
  }

  rollback(): void {
    this.#ended = true;
    for (const undo of this.#undo.toReversed()) undo();
    this.#rows.rewind(this.#mark);
  }

  spaces(): readonly SpaceDefinition[] {
    return [...this.#catalog.byName.values()]
      .map((space) => space.definition)
      .toSorted((a, b) => a.id - b.id);
  }

  space(name: string): SpaceDefinition | undefined {
    return this.#catalog.byName.get(name)?.definition;
  }

  get(space: string, key: readonly unknown[], index?: string): Tuple | undefined {
    return this.#space(space).get(key, index);
  }

  select(space: string, key: readonly unknown[], options: SelectOptions = {}): readonly Tuple[] {
    return [...this.#space(space).select(key, options)];
  }

  count(space: string, key: readonly unknown[] = [], options: SelectOptions = {}): number {
    return this.select(space, key, options).length;
  }

  min(space: string, key: readonly unknown[] = [], index?: string): Tuple | undefined {
    return this.#space(space).end(key, 'EQ', index);
  }

  max(space: string, key: readonly unknown[] = [], index?: string): Tuple | undefined {
    return this.#space(space).end(key, 'REQ', index);
  }

  insert(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = this.#stored(space, values);
    return this.#exchange(space, undefined, tuple);
  }

  replace(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = this.#stored(space, values);
    return this.#exchange(space, space.samePrimary(tuple), tuple);
  }

  update(
    spaceName: string,
    key: readonly unknown[],
    operations: readonly UpdateOperation[],
  ): Tuple | undefined {
    const space = this.#space(spaceName);
    const previous = space.get(key, undefined);
    if (previous === undefined) return undefined;
    const definition = space.definition;
    const next = storedTuple(definition, updated(definition, previous, operations));
    if (space.samePrimary(next) !== previous) {
      throw new ClusterError('TUPLE_INVALID', {
        field: definition.format[definition.indexes[0]?.parts[0]?.field ?? 0]?.name ?? '[0]',
        message: `An update of "${spaceName}" must not change the primary key.`,
        protocolNumber: errorNumber.CANT_UPDATE_PRIMARY_KEY,
      });
    }
    return this.#exchange(space, previous, next);
  }

  upsert(
    spaceName: string,
    values: readonly unknown[],
    operations: readonly UpdateOperation[],
  ): void {
    const space = this.#space(spaceName);
    const { definition } = space;
    checkUpdate(definition, operations);
    const tuple = this.#stored(space, values);
    const previous = space.samePrimary(tuple);
    if (previous === undefined) {
      this.#exchange(space, undefined, tuple);
      return;
    }
    const next = storedTuple(definition, upserted(definition, previous, operations));
    if (space.samePrimary(next) === previous) this.#exchange(space, previous, next);
  }

  delete(spaceName: string, key: readonly unknown[]): Tuple | undefined {
    const space = this.#space(spaceName);
    const previous = space.get(key, undefined);
    if (previous === undefined) return undefined;
    space.exchange(previous, undefined);
    const [primary] = space.definition.indexes;
    assert(primary !== undefined, 'a space with rows has a primary index');
    encodeKey(primary, space.primaryKey(previous), this.#writer);
    this.#rows.delete(space.id, this.#writer.bytes, 0, this.#writer.length);
    this.#writer.length = 0;
    this.#undo.push(() => space.exchange(undefined, previous));
    return previous;
  }

  truncate(spaceName: string): void {
    const space = this.#space(spaceName);
    this.#did({ kind: 'truncate', space: space.id }, space.truncate());
  }

  createSpace(name: string, options: SpaceOptions): SpaceDefinition {
    const format = spaceFormat(name, options.format);
    const acknowledgement = spaceAcknowledgement(name, options);
    const engine = spaceEngine(name, options.engine);
    const existing = this.space(name);
    if (existing !== undefined) {
      const same =
        options.ifNotExists === true &&
        sameFormat(existing.format, format) &&
        existing.engine === engine.engine &&
        sameAcknowledgement(existing, acknowledgement);
      return same ? existing : refuseExisting(`Space "${name}"`);
    }
    const id = Math.max(FIRST_SPACE_ID - 1, ...this.#catalog.byId.keys()) + 1;
    const basics = { id, name, format, indexes: [] };
    const space = new ReferenceSpace({ ...basics, ...acknowledgement, ...engine });
    this.#catalog.add(space);
    this.touched.add(id);
    this.#did({ kind: 'create-space', definition: space.definition }, () =>
      this.#catalog.remove(space),
    );
    return space.definition;
  }

  dropSpace(name: string): void {
    const space = this.#space(name);
    this.#catalog.remove(space);
    this.#did({ kind: 'drop-space', space: space.id }, () => this.#catalog.add(space));
  }

  createIndex(spaceName: string, options: IndexOptions & CreateOptions): IndexDefinition {
    const space = this.#space(spaceName);
    const { indexes } = space.definition;
    const existing = indexes.find((index) => index.name === options.name);
    // An existing primary index is compared as what it would be if it were created now: as the first.
    const before = existing?.id === 0 ? [] : indexes;
    const index = indexDefinition({ ...space.definition, indexes: before }, options);
    if (index.sequence !== undefined) this.#sequences.get(index.sequence);
    if (existing !== undefined) {
      const same = options.ifNotExists === true && sameIndex(existing, index);
      return same ? existing : refuseExisting(`Index "${spaceName}.${options.name}"`);
    }
    space.createIndex(index);
    this.#did({ kind: 'create-index', space: space.id, index }, () => space.dropIndex(index.id));
    return index;
  }

  dropIndex(spaceName: string, indexName: string): void {
    const space = this.#space(spaceName);
    const index = space.definition.indexes.find(({ name }) => name === indexName);
    if (index === undefined) {
      throw new ClusterError('SCHEMA_MISSING', {
        message: `Space "${spaceName}" has no index "${indexName}".`,
      });
    }
    if (index.id === 0) {
      throw new ClusterError('SCHEMA_CONFLICT', {
        message: `"${spaceName}.${indexName}" is the primary index: drop the space instead.`,
      });
    }
    space.dropIndex(index.id);
    this.#did({ kind: 'drop-index', space: space.id, index: index.id }, () =>
      space.createIndex(index),
    );
  }

  sequences(): readonly SequenceDefinition[] {
    return this.#sequences.definitions();
  }

  createSequence(name: string, options: SequenceOptions & CreateOptions = {}): SequenceDefinition {
    return this.#sequences.create(name, options);
  }

  dropSequence(name: string): void {
    this.#sequences.drop(name);
  }

  nextOf(sequence: string): Integer {
    return this.#sequences.next(sequence);
  }

  setSequence(name: string, value?: Integer): void {
    this.#sequences.set(name, value);
  }

  /** The tuple as it is stored; its sequence gives it a key, or follows the one it has. */
  #stored(space: ReferenceSpace, values: readonly unknown[]): Tuple {
    const [primary] = space.definition.indexes;
    const field = primary?.parts[0]?.field;
    if (primary?.sequence === undefined || field === undefined) {
      return storedTuple(space.definition, values);
    }
    const given = values[field] ?? null;
    if (given === null) {
      return storedTuple(
        space.definition,
        values.with(field, this.#sequences.next(primary.sequence)),
      );
    }
    const tuple = storedTuple(space.definition, values);
    this.#sequences.follow(primary.sequence, tuple[field] as Integer);
    return tuple;
  }

  #space(name: string): ReferenceSpace {
    assert(!this.#ended, 'a transaction is not used after its end');
    const space = this.#catalog.byName.get(name);
    if (space === undefined) {
      throw new ClusterError('SCHEMA_MISSING', { message: `There is no space "${name}".` });
    }
    this.touched.add(space.id);
    return space;
  }

  #exchange(space: ReferenceSpace, previous: Tuple | undefined, next: Tuple): Tuple {
    space.exchange(previous, next);
    encodeTuple(space.definition, next, this.#writer);
    this.#rows.replace(space.id, this.#writer.bytes, 0, this.#writer.length);
    this.#writer.length = 0;
    this.#undo.push(() => space.exchange(next, previous));
    return next;
  }

  #did(row: Row, undo: () => void): void {
    this.#rows.row(row);
    this.#undo.push(undo);
  }
}
