/**
 * The engine in plain JavaScript: the oracle for any faster one.
 *
 * A transaction works in place and remembers how to undo each step. So the rows that it hands to the log are those
 * that are already there, and a failure leaves exactly what was before.
 */
import { assert } from '../../foundation/assert.ts';
import { ClusterError } from '../errors.ts';
import {
  type IndexDefinition,
  type IndexOptions,
  indexDefinition,
  type SpaceDefinition,
  sameFormat,
  sameIndex,
  spaceFormat,
  storedTuple,
} from '../schema/space-definition.ts';
import { storable, type Tuple } from '../schema/values.ts';
import type {
  CreateOptions,
  Engine,
  OpenTransaction,
  ScanCursor,
  ScannedRows,
  SelectOptions,
  SpaceOptions,
  UpdateOperation,
} from './engine.ts';
import { ReferenceSpace } from './reference-space.ts';
import { type RowMark, RowWriter } from './row-writer.ts';
import { type Row, RowCodec } from './rows.ts';
import { updated } from './update-operations.ts';

/** Ids below are left to Tarantool's system spaces. */
const FIRST_SPACE_ID = 512;

class Catalog {
  readonly byName = new Map<string, ReferenceSpace>();
  readonly byId = new Map<number, ReferenceSpace>();

  add(space: ReferenceSpace): void {
    this.byName.set(space.name, space);
    this.byId.set(space.id, space);
  }

  remove(space: ReferenceSpace): void {
    this.byName.delete(space.name);
    this.byId.delete(space.id);
  }
}

export class ReferenceEngine implements Engine {
  readonly rows = new RowWriter();
  readonly #catalog = new Catalog();
  readonly #codec = new RowCodec();
  #open: ReferenceTransaction | undefined;

  begin(): OpenTransaction {
    assert(this.#open?.ended !== false, 'one transaction at a time');
    this.#open = new ReferenceTransaction(this.#catalog, this.rows);
    return this.#open;
  }

  apply(payload: Uint8Array): void {
    assert(this.#open?.ended !== false, 'rows are applied between transactions');
    for (const row of this.#codec.decode(payload)) this.#apply(row);
  }

  scan(from: ScanCursor | undefined, maxBytes: number): ScannedRows {
    const rows = new RowWriter();
    const spaces = [...this.#catalog.byId.values()].toSorted((a, b) => a.id - b.id);
    if (from === undefined) {
      for (const { definition } of spaces) rows.row({ kind: 'create-space', definition });
    }
    for (const space of spaces.filter(({ id }) => id >= (from?.space ?? 0))) {
      const after = from?.space === space.id ? from.after : undefined;
      const key = after === undefined ? [] : this.#codec.decodeKey(after);
      for (const tuple of space.behindPrimary(key)) {
        rows.row({ kind: 'replace', space: space.id, tuple });
        if (rows.byteLength < maxBytes) continue;
        const last = this.#codec.encodeKey(space.primaryKey(tuple));
        return { ...rows.take(), next: { space: space.id, after: last } };
      }
    }
    return { ...rows.take(), next: undefined };
  }

  beginLoad(): void {
    assert(this.#catalog.byId.size === 0, 'only an empty engine is loaded');
  }

  endLoad(): void {
    // Nothing was put off.
  }

  #apply(row: Row): void {
    switch (row.kind) {
      case 'begin-term':
        return;
      case 'create-space':
        this.#catalog.add(new ReferenceSpace(row.definition));
        return;
      case 'drop-space':
        this.#catalog.remove(this.#space(row.space));
        return;
      case 'create-index':
        this.#space(row.space).createIndex(row.index);
        return;
      case 'drop-index':
        this.#space(row.space).dropIndex(row.index);
        return;
      case 'replace': {
        const space = this.#space(row.space);
        const tuple = storable(row.tuple, space.name) as Tuple;
        space.exchange(space.samePrimary(tuple), tuple);
        return;
      }
      case 'delete': {
        const space = this.#space(row.space);
        space.exchange(space.byPrimaryKey(row.key), undefined);
      }
    }
  }

  #space(id: number): ReferenceSpace {
    const space = this.#catalog.byId.get(id);
    assert(space !== undefined, `the log has a row of space ${id}, which does not exist`);
    return space;
  }
}

class ReferenceTransaction implements OpenTransaction {
  readonly touched = new Set<number>();
  readonly #catalog: Catalog;
  readonly #rows: RowWriter;
  readonly #mark: RowMark;
  readonly #undo: (() => void)[] = [];
  #ended = false;

  constructor(catalog: Catalog, rows: RowWriter) {
    this.#catalog = catalog;
    this.#rows = rows;
    this.#mark = rows.mark();
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

  insert(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = storedTuple(space.definition, values);
    return this.#exchange(space, undefined, tuple);
  }

  replace(spaceName: string, values: readonly unknown[]): Tuple {
    const space = this.#space(spaceName);
    const tuple = storedTuple(space.definition, values);
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
      });
    }
    return this.#exchange(space, previous, next);
  }

  delete(spaceName: string, key: readonly unknown[]): Tuple | undefined {
    const space = this.#space(spaceName);
    const previous = space.get(key, undefined);
    if (previous === undefined) return undefined;
    space.exchange(previous, undefined);
    this.#did({ kind: 'delete', space: space.id, key: space.primaryKey(previous) }, () =>
      space.exchange(undefined, previous),
    );
    return previous;
  }

  createSpace(name: string, options: SpaceOptions): SpaceDefinition {
    const format = spaceFormat(name, options.format);
    const existing = this.space(name);
    if (existing !== undefined) {
      const same = options.ifNotExists === true && sameFormat(existing.format, format);
      return same ? existing : refuseExisting(`Space "${name}"`);
    }
    const id = Math.max(FIRST_SPACE_ID - 1, ...this.#catalog.byId.keys()) + 1;
    const space = new ReferenceSpace({ id, name, format, indexes: [] });
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
    this.#did({ kind: 'replace', space: space.id, tuple: next }, () =>
      space.exchange(next, previous),
    );
    return next;
  }

  #did(row: Row, undo: () => void): void {
    this.#rows.row(row);
    this.#undo.push(undo);
  }
}

function refuseExisting(what: string): never {
  throw new ClusterError('SCHEMA_CONFLICT', {
    message: `${what} exists already, with another definition or without "ifNotExists".`,
  });
}
