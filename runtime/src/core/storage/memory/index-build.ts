/**
 * An index of a space that has rows, made step by step while rows come and go.
 *
 * It goes through the rows in the order of the primary key. A write of a row that it has passed changes the index too;
 * a row that lies ahead is met later. Keys that are there twice are only counted: a later write or a rollback may mend
 * them, so what counts is what is there when the index is taken. Nothing else can refuse a row: the types of an index
 * are those of the format, which all rows were checked against.
 */
import { assert } from '../../../foundation/assert.ts';
import type { IndexDefinition, SpaceDefinition } from '../../schema/space-definition.ts';
import { KeyOrder } from './key-order.ts';
import { type IndexMemory, MemoryIndex } from './memory-index.ts';
import { TupleCheck } from './tuple-check.ts';

export interface BuiltSpace {
  /** With the new index. */
  readonly definition: SpaceDefinition;
  readonly primary: MemoryIndex;
}

export class IndexBuild {
  readonly index: MemoryIndex;
  readonly #memory: IndexMemory;
  readonly #space: BuiltSpace;
  readonly #check: TupleCheck;
  /** Of the primary key, with a probe of its own. */
  readonly #order: KeyOrder;
  readonly #place = { leaf: 0, slot: 0 };
  /** A copy of the row that was passed last, and where its fields begin. */
  #last: Uint8Array | undefined;
  readonly #lastPositions: Int32Array;
  #isFilled = false;
  #isOver = false;
  /** Rows less keys, of those that are unique by the index. */
  #duplicates = 0;

  constructor(memory: IndexMemory, space: BuiltSpace, definition: IndexDefinition) {
    const primary = space.primary.definition;
    this.#memory = memory;
    this.#space = space;
    this.#check = new TupleCheck(space.definition);
    this.#order = new KeyOrder(memory.arena, primary, primary);
    this.#lastPositions = new Int32Array(this.#check.positions.length);
    this.index = new MemoryIndex(memory, space.definition, definition);
  }

  get isFilled(): boolean {
    return this.#isFilled;
  }

  /** It was taken or given up: no step follows. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes up to so many rows, between transactions; false when there is nothing more to do. */
  step(rows: number): boolean {
    if (this.#isFilled || this.#isOver) return false;
    const { tree, order } = this.#space.primary;
    const place = this.#place;
    if (this.#last === undefined) tree.toStart(place);
    else {
      order.probeTuple(this.#last, this.#lastPositions);
      tree.seek(true, place);
    }
    let last = 0;
    for (let left = rows; left > 0; left--) {
      const handle = tree.handleAt(place);
      if (handle === 0) {
        this.#isFilled = true;
        return false;
      }
      this.#add(handle);
      last = handle;
      tree.forward(place);
    }
    if (last !== 0) this.#pass(last);
    return true;
  }

  /** Throws when the index has no room to grow. */
  requireRoom(): void {
    const { budget } = this.#memory;
    if (!budget.hasRoomFor(0)) budget.refuse(this.#space.definition.name);
  }

  /** A tuple came, in the place of a previous one of the same primary key, or of none. */
  stored(previous: number, handle: number): void {
    if (!this.#hasPassed(handle)) return;
    if (previous !== 0) this.#take(previous);
    this.#add(handle);
  }

  removed(handle: number): void {
    if (this.#hasPassed(handle)) this.#take(handle);
  }

  /** Gives the index away, which has all rows then, unless it is unique and they are not. */
  take(): MemoryIndex | 'duplicate' {
    assert(this.#isFilled && !this.#isOver, 'an index is taken once, when it is made');
    if (this.#duplicates > 0) return 'duplicate';
    this.#isOver = true;
    return this.index;
  }

  giveUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.index.dispose();
  }

  #add(handle: number): void {
    if (this.#hasKey(handle)) this.#duplicates += 1;
    this.index.add(handle);
  }

  #take(handle: number): void {
    this.index.remove(handle);
    if (this.#hasKey(handle)) this.#duplicates -= 1;
  }

  /** Is there a tuple with the key of this one? */
  #hasKey(handle: number): boolean {
    if (!this.index.definition.unique) return false;
    const { arena } = this.#memory;
    const bytes = arena.chunkOf(handle);
    this.#check.locate(bytes, arena.startOf(handle));
    return this.index.findSame(bytes, this.#check.positions) !== 0;
  }

  #pass(handle: number): void {
    const { arena } = this.#memory;
    const start = arena.startOf(handle);
    this.#last = arena.chunkOf(handle).slice(start, start + arena.sizeOf(handle));
    this.#check.locate(this.#last, 0);
    this.#lastPositions.set(this.#check.positions);
  }

  #hasPassed(handle: number): boolean {
    if (this.#isFilled) return true;
    if (this.#last === undefined) return false;
    this.#order.probeTuple(this.#last, this.#lastPositions);
    return this.#order.compare(handle) <= 0;
  }
}
