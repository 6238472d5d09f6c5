/**
 * A space: its indexes and the tuples that they share.
 *
 * A write first finds everything that may refuse it, then changes the indexes one after another: nothing fails half
 * way. Tuples are never changed in place; who takes one out decides when its memory is free.
 */
import { assert } from '../../../foundation/assert.ts';
import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';
import {
  type IndexDefinition,
  type SpaceDefinition,
  sameIndex,
} from '../../schema/space-definition.ts';
import type { SpaceOverlay } from '../disk/space-overlay.ts';
import type { NamedFields } from '../tuple-update.ts';
import { IndexBuild } from './index-build.ts';
import { type IndexMemory, MemoryIndex } from './memory-index.ts';
import { TupleCheck } from './tuple-check.ts';

export class MemorySpace {
  readonly id: number;
  readonly name: string;
  /** Names for update operations. */
  readonly fields: NamedFields;
  /** The same where an update may count on a field more than once. */
  readonly repeatableFields: NamedFields;
  /** Its rows are acknowledged as soon as the leader's own log has them. */
  readonly isLocal: boolean;
  /** The tuple that the last `put` took the place of; 0 when there was none. */
  previous = 0;
  /** Of a space of engine `disk`: then only some of its rows are here. */
  overlay: SpaceOverlay | undefined;
  readonly #memory: IndexMemory;
  #definition: SpaceDefinition;
  #indexes: readonly MemoryIndex[] = [];
  /** Indexes to be: nearly always none. */
  #builds: readonly IndexBuild[] = [];
  #check: TupleCheck;
  #sequenceField = -1;
  /** While it is loaded only the primary index is filled. */
  #isLoading: boolean;

  constructor(memory: IndexMemory, definition: SpaceDefinition, isLoading = false) {
    this.#memory = memory;
    this.id = definition.id;
    this.name = definition.name;
    this.isLocal = definition.ack === 'local';
    this.#definition = { ...definition, indexes: [] };
    this.#check = new TupleCheck(this.#definition);
    this.fields = namedFields(definition);
    this.repeatableFields = { ...this.fields, canRepeat: true };
    this.#isLoading = isLoading;
    for (const index of definition.indexes) this.createIndex(index);
  }

  get definition(): SpaceDefinition {
    return this.#definition;
  }

  get indexes(): readonly MemoryIndex[] {
    return this.#indexes;
  }

  get size(): number {
    return this.#indexes[0]?.size ?? 0;
  }

  get indexBytes(): number {
    return this.#indexes.reduce((sum, index) => sum + index.usedBytes, 0);
  }

  /** The field that a sequence fills where it is nil; -1 when none does. */
  get sequenceField(): number {
    return this.#sequenceField;
  }

  get check(): TupleCheck {
    return this.#check;
  }

  primary(): MemoryIndex {
    return this.#indexes[0] ?? this.#refuseIndex('has no index yet', 0);
  }

  indexById(id: number): MemoryIndex {
    if (id === 0) return this.primary();
    const index = this.#indexes.find(({ definition }) => definition.id === id);
    return index ?? this.#refuseIndex(`has no index of number ${id}`, id);
  }

  indexByName(name: string | undefined): MemoryIndex {
    if (name === undefined) return this.primary();
    const index = this.#indexes.find(({ definition }) => definition.name === name);
    return index ?? this.#refuseIndex(`has no index "${name}"`, name);
  }

  /** What `createIndex` would be given after all builds that are under way. */
  get plannedDefinition(): SpaceDefinition {
    const planned = this.#builds.map(({ index }) => index.definition);
    return { ...this.#definition, indexes: [...this.#definition.indexes, ...planned] };
  }

  /** Begins to make an index, which `createIndex` takes when it has all rows. */
  beginIndex(definition: IndexDefinition): IndexBuild {
    const next = withIndex(this.#definition, definition);
    const space = { definition: next, primary: this.primary() };
    const build = new IndexBuild(this.#memory, space, definition);
    this.#builds = [...this.#builds, build];
    return build;
  }

  giveUpBuild(build: IndexBuild): void {
    this.#builds = this.#builds.filter((other) => other !== build);
    build.giveUp();
  }

  giveUpBuilds(): void {
    for (const build of this.#builds) this.giveUpBuild(build);
  }

  /** Refuses duplicates among the tuples that are there; nothing has happened then. */
  createIndex(definition: IndexDefinition): void {
    const built = this.#takeBuilt(definition);
    if (built !== undefined) {
      this.restoreIndex(built);
      return;
    }
    const next = withIndex(this.#definition, definition);
    const index = new MemoryIndex(this.#memory, next, definition);
    if (this.size > 0 && !this.#isLoading) {
      const check = new TupleCheck(next);
      const handles = this.handles();
      this.#checkAll(handles, check);
      const duplicate = index.load(handles);
      if (duplicate !== 0) {
        index.dispose();
        this.#refuseDuplicate(index);
      }
    }
    if (this.overlay?.addIndex(next, index) === true) {
      index.dispose();
      this.#refuseDuplicate(index);
    }
    if (this.#isLoading && definition.id === 0) index.beginLoad();
    this.#setIndexes(next, [...this.#indexes, index]);
  }

  /** Gives the index away, as it is. */
  dropIndex(id: number): MemoryIndex {
    const dropped = this.indexById(id);
    const indexes = this.#definition.indexes.filter((index) => index.id !== id);
    this.#setIndexes(
      { ...this.#definition, indexes },
      this.#indexes.filter((index) => index !== dropped),
    );
    return dropped;
  }

  /** An index that has all tuples, as one that was dropped in the same transaction and comes back. */
  restoreIndex(index: MemoryIndex): void {
    this.#setIndexes(withIndex(this.#definition, index.definition), [...this.#indexes, index]);
  }

  *endLoadInSteps(): Generator<void, void> {
    this.#isLoading = false;
    const [primary, ...others] = this.#indexes;
    if (primary === undefined || (primary.isInOrder && others.length === 0)) return;
    const handles = yield* primary.endLoadInSteps();
    for (const index of others) {
      yield;
      const duplicate = yield* index.loadInSteps(handles);
      assert(duplicate === 0, 'the rows of a log have no duplicates');
    }
  }

  handles(): Uint32Array {
    return this.primary().handles();
  }

  /**
   * Stores a tuple that was checked or located: its handle. `isInsert` refuses one with the same primary key; `isNew`
   * asks for memory and for duplicates, which rows of the log need not.
   */
  put(
    bytes: Uint8Array,
    at: number,
    end: number,
    options: { readonly isInsert: boolean; readonly isNew: boolean },
  ): number {
    const { positions } = this.#check;
    const indexes = this.#indexes;
    const primary = this.primary();
    const previous = primary.findSame(bytes, positions);
    if (previous !== 0 && options.isInsert) this.#refuseDuplicate(primary);
    if (options.isNew) this.#refuseBefore(bytes, end - at, previous);
    const handle = this.#memory.arena.store(bytes, at, end);
    this.previous = previous;
    const count = this.#isLoading ? 1 : indexes.length;
    for (let i = 0; i < count; i++) {
      const index = indexes[i] as MemoryIndex;
      if (previous === 0) {
        // The primary index was probed when it was asked for the same key.
        if (i > 0) index.order.probeTuple(bytes, positions);
        index.addProbed(handle);
      } else index.exchange(bytes, positions, previous, handle);
    }
    if (this.#builds.length > 0) this.#tellBuilds(previous, handle);
    return handle;
  }

  hasSamePrimary(handle: number, bytes: Uint8Array): boolean {
    const { order } = this.primary();
    order.probeTuple(bytes, this.#check.positions);
    return order.compare(handle) === 0;
  }

  /** Refuses an update of a tuple to one with another primary key, which was located. */
  requireSamePrimary(handle: number, bytes: Uint8Array): void {
    if (this.hasSamePrimary(handle, bytes)) return;
    const { definition } = this.primary();
    throw new ClusterError('TUPLE_INVALID', {
      field: this.#definition.format[definition.parts[0]?.field ?? 0]?.name ?? '[0]',
      message: `An update of "${this.name}" must not change the primary key.`,
      protocolNumber: errorNumber.CANT_UPDATE_PRIMARY_KEY,
    });
  }

  /** Takes a tuple out of all indexes; its memory stays. */
  remove(handle: number): void {
    const count = this.#isLoading ? 1 : this.#indexes.length;
    for (let i = 0; i < count; i++) (this.#indexes[i] as MemoryIndex).remove(handle);
    if (this.#builds.length > 0) for (const build of this.#builds) build.removed(handle);
  }

  /** Puts a tuple that was taken out back. */
  restore(handle: number): void {
    for (const index of this.#indexes) index.add(handle);
    if (this.#builds.length > 0) this.#tellBuilds(0, handle);
  }

  #tellBuilds(previous: number, handle: number): void {
    for (const build of this.#builds) build.stored(previous, handle);
  }

  /** Undefined when it has to be made at once. */
  #takeBuilt(definition: IndexDefinition): MemoryIndex | undefined {
    const build = this.#builds.find(({ index }) => index.definition.name === definition.name);
    if (build === undefined) return undefined;
    try {
      const planned = build.index.definition;
      const isSame = planned.id === definition.id && sameIndex(planned, definition);
      if (!isSame || !build.isFilled) return undefined;
      const built = build.take();
      if (built === 'duplicate') this.#refuseDuplicate(build.index);
      return built;
    } finally {
      this.giveUpBuild(build);
    }
  }

  #refuseBefore(bytes: Uint8Array, size: number, previous: number): void {
    const { positions } = this.#check;
    for (let i = 1; i < this.#indexes.length; i++) {
      const index = this.#indexes[i] as MemoryIndex;
      if (!index.definition.unique) continue;
      const found = index.findSame(bytes, positions);
      if (found !== 0 && found !== previous) this.#refuseDuplicate(index);
    }
    if (!this.#memory.arena.hasRoomFor(size)) this.#memory.budget.refuse(this.name);
  }

  /** Tuples that are there must fit what an index demands of fields that had no type before. */
  #checkAll(handles: Uint32Array, check: TupleCheck): void {
    const { arena } = this.#memory;
    for (const handle of handles) {
      const start = arena.startOf(handle);
      check.check(arena.chunkOf(handle), start, start + arena.sizeOf(handle));
    }
  }

  #setIndexes(definition: SpaceDefinition, indexes: readonly MemoryIndex[]): void {
    this.#definition = definition;
    this.#indexes = indexes.toSorted((a, b) => a.definition.id - b.definition.id);
    this.#check = new TupleCheck(definition);
    const primary = definition.indexes[0];
    this.#sequenceField = primary?.sequence === undefined ? -1 : (primary.parts[0]?.field ?? -1);
  }

  #refuseDuplicate({ definition }: MemoryIndex): never {
    throw new ClusterError('DUPLICATE_KEY', {
      message:
        `Space "${this.name}" has a row with the same key in the unique index ` +
        `"${definition.name}".`,
      details: { space: this.name, index: definition.name },
      protocolNumber: errorNumber.TUPLE_FOUND,
    });
  }

  #refuseIndex(what: string, index: number | string): never {
    throw new ClusterError('SCHEMA_MISSING', {
      message: `Space "${this.name}" ${what}.`,
      details: { space: this.name, index },
      protocolNumber: errorNumber.NO_SUCH_INDEX_ID,
    });
  }
}

function withIndex(space: SpaceDefinition, index: IndexDefinition): SpaceDefinition {
  return { ...space, indexes: [...space.indexes, index].toSorted((a, b) => a.id - b.id) };
}

function namedFields({ format }: SpaceDefinition): NamedFields {
  const numbers = new Map(format.map(({ name }, field) => [name, field]));
  return {
    numberOf: (name) => numbers.get(name),
    nameOf: (field) => format[field]?.name,
    count: format.length,
  };
}
