/** One index of a space: a tree of all its tuples, and a hash beside it where full keys can be found by one. */
import type { IndexDefinition, SpaceDefinition } from '../../schema/space-definition.ts';
import type { Arena } from './arena.ts';
import { inOrderOfMemory, STEP_ENTRIES, sortedEntries } from './bulk-sort.ts';
import { KeyHash } from './key-hash.ts';
import { KeyOrder } from './key-order.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { isHashable } from './raw-hash.ts';
import { Tree, type TreePlace } from './tree.ts';
import { KeyCheck } from './tuple-check.ts';

export interface IndexMemory {
  readonly arena: Arena;
  readonly budget: MemoryBudget;
}

export class MemoryIndex {
  readonly definition: IndexDefinition;
  readonly order: KeyOrder;
  readonly tree: Tree;
  readonly keys: KeyCheck;
  /** Does a full key name one tuple? */
  readonly isExact: boolean;
  readonly #hash: KeyHash | undefined;
  readonly #mayHaveNil: boolean;
  readonly #mayExclude: boolean;
  /** While much is loaded only the hash knows the tuples: the tree is built at the end. */
  #isTreeDue = false;

  constructor(memory: IndexMemory, space: SpaceDefinition, definition: IndexDefinition) {
    const { arena, budget } = memory;
    this.definition = definition;
    this.order = new KeyOrder(arena, definition, space.indexes[0] ?? definition);
    this.tree = new Tree(this.order, budget);
    this.keys = new KeyCheck(space, definition);
    this.#mayHaveNil = definition.parts.some((part) => part.isNullable);
    this.isExact = definition.unique && !this.#mayHaveNil;
    this.#mayExclude = definition.parts.some((part) => part.excludeNull === true);
    // A secondary index gets one where it is asked for; reads by primary key are what most are.
    const isWanted = definition.id === 0 || definition.type === 'hash';
    this.#hash = isWanted && isHashable(definition) ? new KeyHash(budget) : undefined;
  }

  /** Until the end of loading tuples are only found by their full key, and in no order. */
  beginLoad(): void {
    this.#isTreeDue = this.#hash !== undefined;
  }

  /** Gives all handles in the order of memory. */
  *endLoadInSteps(): Generator<void, Uint32Array> {
    const handles = yield* inOrderOfMemory(this.handles());
    if (!this.#isTreeDue) return handles;
    this.#isTreeDue = false;
    const { prefixes, sorted } = yield* sortedEntries(handles, this.order);
    yield;
    this.tree.load(prefixes, sorted);
    return handles;
  }

  /** False while it is loaded, and its tree is not made yet. */
  get isInOrder(): boolean {
    return !this.#isTreeDue;
  }

  get size(): number {
    return this.tree.size;
  }

  /** Puts the place behind the tuple with a full key, there or not; without a key to the first tuple. */
  toBehind(key: Uint8Array | undefined, place: TreePlace): void {
    const { order, tree } = this;
    if (key === undefined) return tree.toStart(place);
    order.probeKey(key, 0, order.ownParts);
    tree.seek(true, place);
  }

  /** All tuples, in the order of the index, but for the time of loading. */
  handles(): Uint32Array {
    if (this.#isTreeDue && this.#hash !== undefined) return this.#hash.handles();
    const handles = new Uint32Array(this.tree.size);
    this.tree.toStart(place);
    for (let i = 0; i < handles.length; i++) {
      handles[i] = this.tree.handleAt(place);
      this.tree.forward(place);
    }
    return handles;
  }

  get usedBytes(): number {
    return this.tree.usedBytes + (this.#hash?.usedBytes ?? 0);
  }

  dispose(): void {
    this.tree.dispose();
    this.#hash?.dispose();
  }

  /** The tuple with a full key; 0 when there is none. Only of a unique index. */
  findKey(bytes: Uint8Array, keyAt: number): number {
    const { order } = this;
    if (this.#hash === undefined) {
      order.probeKey(bytes, keyAt, order.ownParts);
      return this.#seek();
    }
    order.probeEqual(bytes, keyAt, order.ownParts);
    return this.#hash.find(order.hashOfProbe(), this);
  }

  /** The tuple with the key of another one, whose fields begin at `positions`. */
  findSame(bytes: Uint8Array, positions: Int32Array): number {
    const { order } = this;
    order.probeTuple(bytes, positions);
    if (this.#mayHaveNil && order.hasNil()) return 0;
    if (this.definition.id !== 0) order.narrowToOwnParts();
    return this.#find();
  }

  /** Does a stored tuple equal what is looked for? */
  equals(handle: number): boolean {
    return this.order.equals(handle);
  }

  add(handle: number): void {
    this.order.probeHandle(handle);
    this.addProbed(handle);
  }

  /** Adds a tuple that was probed with all its fields. */
  addProbed(handle: number): void {
    if (this.#mayExclude && this.order.isExcluded()) return;
    if (!this.#isTreeDue) this.tree.insert(handle);
    this.#hash?.add(this.order.hashOfProbe(), handle);
  }

  remove(handle: number): void {
    this.order.probeHandle(handle);
    if (this.#isTreeDue || this.tree.remove()) this.#hash?.remove(this.order.hashOfProbe(), handle);
  }

  /** Puts a tuple whose fields begin at `positions` in the place of another. */
  exchange(bytes: Uint8Array, positions: Int32Array, from: number, to: number): void {
    const { order } = this;
    order.probeTuple(bytes, positions);
    if (order.compare(from) === 0) {
      if (this.#isTreeDue || this.tree.exchange(to))
        this.#hash?.exchange(order.hashOfProbe(), from, to);
      return;
    }
    this.remove(from);
    order.probeTuple(bytes, positions);
    this.addProbed(to);
  }

  /** Fills the index, which is empty; gives a tuple whose key an earlier one has, if there is one. */
  load(handles: Uint32Array): number {
    const steps = this.loadInSteps(handles);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  *loadInSteps(handles: Uint32Array): Generator<void, number> {
    const { order } = this;
    const included = this.#mayExclude
      ? handles.filter((handle) => this.#includes(handle))
      : handles;
    const { prefixes, sorted } = yield* sortedEntries(included, order);
    const duplicate = this.definition.unique ? yield* this.#duplicate(sorted) : 0;
    if (duplicate !== 0) return duplicate;
    yield;
    this.tree.load(prefixes, sorted);
    if (this.#hash === undefined) return 0;
    for (let i = 0; i < sorted.length; i++) {
      if (i % STEP_ENTRIES === 0) yield;
      const handle = sorted[i] as number;
      this.#hash.add(order.hashOf(handle), handle);
    }
    return 0;
  }

  #includes(handle: number): boolean {
    this.order.probeHandle(handle);
    return !this.order.isExcluded();
  }

  *#duplicate(sorted: Uint32Array): Generator<void, number> {
    for (let i = 1; i < sorted.length; i++) {
      if (i % STEP_ENTRIES === 0) yield;
      this.order.probeHandle(sorted[i - 1] as number);
      if (this.#mayHaveNil && this.order.hasNil()) continue;
      this.order.narrowToOwnParts();
      if (this.order.compare(sorted[i] as number) === 0) return sorted[i] as number;
    }
    return 0;
  }

  #find(): number {
    if (this.#hash !== undefined) return this.#hash.find(this.order.hashOfProbe(), this);
    return this.#seek();
  }

  #seek(): number {
    this.tree.seek(false, place);
    const handle = this.tree.handleAt(place);
    return handle !== 0 && this.order.compare(handle) === 0 ? handle : 0;
  }
}

/** Filled anew by each search. */
const place = { leaf: 0, slot: 0 };
