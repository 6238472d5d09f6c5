/**
 * A B+tree of handles in the order of one index.
 *
 * Entries are (prefix, handle); inner nodes have the first entry of each child as its separator. What is looked for
 * is the probe of the order: prefixes outside of its range decide at once, the rest is compared by its bytes. A
 * separator's handle may only be of a tuple that is in the tree, so deleting the first entry of a node renews it.
 */
import type { KeyOrder } from './key-order.ts';
import type { MemoryBudget } from './memory-budget.ts';
import {
  childIn,
  handleIn,
  move,
  NODE_BITS,
  NODE_ENTRIES,
  NONE,
  NodePool,
  prefixIn,
  SEGMENT_BITS,
  SEGMENT_MASK,
  setChild,
  setEntry,
  setHandle,
  shift,
} from './node-pool.ts';

const DEPTH_MAX = 16;
/** Bulk loading leaves room for insertions. */
const FILL = 56;
/** A leaf with fewer entries looks for a neighbour to merge with, if both are then no more than this. */
const SPARSE = 20;
const MERGED_MAX = 48;

/** A place in a tree: an entry, or behind the last one of a leaf. */
export interface TreePlace {
  leaf: number;
  slot: number;
}

export class Tree {
  readonly #order: KeyOrder;
  readonly #leaves: NodePool;
  readonly #inners: NodePool;
  readonly #path = new Int32Array(DEPTH_MAX);
  readonly #pathSlots = new Int32Array(DEPTH_MAX);
  /** Levels of inner nodes above the leaves. */
  #levels = 0;
  #root: number;
  #first: number;
  #last: number;
  #size = 0;

  constructor(order: KeyOrder, budget: MemoryBudget) {
    this.#order = order;
    this.#leaves = new NodePool(false, budget);
    this.#inners = new NodePool(true, budget);
    this.#root = this.#leaves.take();
    this.#first = this.#root;
    this.#last = this.#root;
  }

  get size(): number {
    return this.#size;
  }

  get usedBytes(): number {
    return this.#leaves.usedBytes + this.#inners.usedBytes;
  }

  dispose(): void {
    this.#leaves.dispose();
    this.#inners.dispose();
  }

  handleAt(place: TreePlace): number {
    if (place.slot < 0 || place.slot >= (this.#leaves.counts[place.leaf] as number)) return 0;
    return handleIn(this.#leaves, place.leaf, place.slot);
  }

  /** The first place that is not before what is looked for; `isBehind`: the first that is behind it. */
  seek(isBehind: boolean, place: TreePlace): void {
    let node = this.#root;
    for (let level = this.#levels; level > 0; level--) {
      node = childIn(this.#inners, node, this.#search(this.#inners, node, 1, isBehind) - 1);
    }
    place.leaf = node;
    place.slot = this.#search(this.#leaves, node, 0, isBehind);
    if (place.slot === (this.#leaves.counts[node] as number)) this.#toNextLeaf(place);
  }

  toStart(place: TreePlace): void {
    place.leaf = this.#first;
    place.slot = 0;
  }

  toEnd(place: TreePlace): void {
    place.leaf = this.#last;
    place.slot = this.#leaves.counts[this.#last] as number;
  }

  forward(place: TreePlace): void {
    place.slot += 1;
    if (place.slot >= (this.#leaves.counts[place.leaf] as number)) this.#toNextLeaf(place);
  }

  /** False when there is nothing before the place. */
  backward(place: TreePlace): boolean {
    if (place.slot === 0) {
      const previous = this.#leaves.previous[place.leaf] as number;
      if (previous === NONE) return false;
      place.leaf = previous;
      place.slot = this.#leaves.counts[previous] as number;
    }
    place.slot -= 1;
    return place.slot >= 0;
  }

  /** Adds what was probed, which must not be here, under its handle. */
  insert(handle: number): void {
    if (this.#appends(handle)) return;
    const leaf = this.#descend(true);
    const slot = this.#search(this.#leaves, leaf, 0, true);
    this.#size += 1;
    this.#put(this.#leaves, leaf, slot, this.#levels, this.#order.low, handle, 0);
  }

  /** Keys often come in ascending order: what belongs behind all others needs no search. */
  #appends(handle: number): boolean {
    const leaf = this.#last;
    const count = this.#leaves.counts[leaf] as number;
    if (count === 0 || count === NODE_ENTRIES) return false;
    const { low } = this.#order;
    if (low <= prefixIn(this.#leaves, leaf, count - 1)) return false;
    setEntry(this.#leaves, leaf, count, low, handle);
    this.#leaves.counts[leaf] = count + 1;
    this.#size += 1;
    return true;
  }

  /** Puts another handle in the place of the one that was probed: both must be equal in this order. */
  exchange(handle: number): boolean {
    const leaf = this.#descend(true);
    const slot = this.#slotOfProbe(leaf);
    if (slot === NONE) return false;
    setHandle(this.#leaves, leaf, slot, handle);
    if (slot === 0) this.#renewSeparator(this.#leaves, leaf, this.#levels);
    return true;
  }

  /** Takes out what was probed; false when it is not here. */
  remove(): boolean {
    const leaf = this.#descend(true);
    const slot = this.#slotOfProbe(leaf);
    if (slot === NONE) return false;
    this.#size -= 1;
    this.#take(this.#leaves, leaf, slot);
    const left = this.#leaves.counts[leaf] as number;
    if (slot === 0 && left > 0) this.#renewSeparator(this.#leaves, leaf, this.#levels);
    if (left < SPARSE && this.#levels > 0) this.#thinOut(leaf, left);
    return true;
  }

  /** A separator that is equal to the probe leads to the right, where the entry is. */
  #slotOfProbe(leaf: number): number {
    const slot = this.#search(this.#leaves, leaf, 0, true) - 1;
    if (slot < 0) return NONE;
    return this.#order.compare(handleIn(this.#leaves, leaf, slot)) === 0 ? slot : NONE;
  }

  /** Fills an empty tree with entries in order. */
  load(prefixes: Float64Array, handles: Uint32Array): void {
    let level: { readonly node: number; readonly pool: NodePool }[] = [];
    for (let at = 0; at < handles.length; at += FILL) {
      const leaf = at === 0 ? this.#first : this.#leaves.take();
      const end = Math.min(handles.length, at + FILL);
      for (let i = at; i < end; i++) {
        setEntry(this.#leaves, leaf, i - at, prefixes[i] as number, handles[i] as number);
      }
      this.#leaves.counts[leaf] = end - at;
      if (at > 0) this.#chain(this.#last, leaf);
      this.#last = leaf;
      level.push({ node: leaf, pool: this.#leaves });
    }
    this.#size = handles.length;
    this.#levels = 0;
    while (level.length > 1) {
      level = this.#loadLevel(level);
      this.#levels += 1;
    }
    this.#root = level[0]?.node ?? this.#first;
  }

  #loadLevel(
    below: readonly { readonly node: number; readonly pool: NodePool }[],
  ): { readonly node: number; readonly pool: NodePool }[] {
    const level: { readonly node: number; readonly pool: NodePool }[] = [];
    for (let at = 0; at < below.length; at += FILL) {
      const inner = this.#inners.take();
      const part = below.slice(at, at + FILL);
      part.forEach(({ node, pool }, slot) => {
        setEntry(this.#inners, inner, slot, prefixIn(pool, node, 0), handleIn(pool, node, 0));
        setChild(this.#inners, inner, slot, node);
      });
      this.#inners.counts[inner] = part.length;
      level.push({ node: inner, pool: this.#inners });
    }
    return level;
  }

  /** To the leaf where the probe belongs, remembering the way. */
  #descend(isBehind: boolean): number {
    let node = this.#root;
    for (let depth = 0; depth < this.#levels; depth++) {
      const slot = this.#search(this.#inners, node, 1, isBehind) - 1;
      this.#path[depth] = node;
      this.#pathSlots[depth] = slot;
      node = childIn(this.#inners, node, slot);
    }
    return node;
  }

  /** The first slot from `from` on whose entry is not before the probe, or, `isBehind`, is behind it. */
  #search(pool: NodePool, node: number, from: number, isBehind: boolean): number {
    const prefixes = pool.prefixes[node >> SEGMENT_BITS] as Float64Array;
    const base = (node & SEGMENT_MASK) << NODE_BITS;
    const order = this.#order;
    const { low, high } = order;
    const count = pool.counts[node] as number;
    let left = from;
    let right = count;
    while (left < right) {
      const middle = (left + right) >>> 1;
      if ((prefixes[base + middle] as number) < low) left = middle + 1;
      else right = middle;
    }
    if (left === count || (prefixes[base + left] as number) > high) return left;
    right = left + 1;
    while (right < count && (prefixes[base + right] as number) <= high) right += 1;
    while (left < right) {
      const middle = (left + right) >>> 1;
      const side = order.compare(handleIn(pool, node, middle));
      if (side < 0 || (isBehind && side === 0)) left = middle + 1;
      else right = middle;
    }
    return left;
  }

  #toNextLeaf(place: TreePlace): void {
    const next = this.#leaves.next[place.leaf] as number;
    if (next === NONE) {
      place.slot = this.#leaves.counts[place.leaf] as number;
      return;
    }
    place.leaf = next;
    place.slot = 0;
  }

  /** `depth`: the number of inner nodes above this one, which are in the path. */
  #put(
    pool: NodePool,
    node: number,
    slot: number,
    depth: number,
    prefix: number,
    handle: number,
    child: number,
  ): void {
    const count = pool.counts[node] as number;
    if (count < NODE_ENTRIES) {
      shift(pool, node, slot, 1);
      setEntry(pool, node, slot, prefix, handle);
      if (pool === this.#inners) setChild(pool, node, slot, child);
      pool.counts[node] = count + 1;
      // An entry before all others of its node: only the leftmost node of a level gets one.
      if (slot === 0 && pool === this.#leaves) this.#renewSeparator(pool, node, depth);
      return;
    }
    const right = this.#split(pool, node, slot);
    const leftCount = pool.counts[node] as number;
    const isRight = slot > leftCount;
    const target = isRight ? right : node;
    const at = isRight ? slot - leftCount : slot;
    shift(pool, target, at, 1);
    setEntry(pool, target, at, prefix, handle);
    if (pool === this.#inners) setChild(pool, target, at, child);
    pool.counts[target] = (pool.counts[target] as number) + 1;
    this.#hang(pool, node, right, depth);
    if (slot === 0 && pool === this.#leaves) this.#renewSeparator(pool, node, depth);
  }

  /** Makes a new right half known above. */
  #hang(pool: NodePool, node: number, right: number, depth: number): void {
    const prefix = prefixIn(pool, right, 0);
    const handle = handleIn(pool, right, 0);
    if (depth > 0) {
      const parent = this.#path[depth - 1] as number;
      const slot = (this.#pathSlots[depth - 1] as number) + 1;
      this.#put(this.#inners, parent, slot, depth - 1, prefix, handle, right);
      return;
    }
    const root = this.#inners.take();
    setEntry(this.#inners, root, 0, prefixIn(pool, node, 0), handleIn(pool, node, 0));
    setChild(this.#inners, root, 0, node);
    setEntry(this.#inners, root, 1, prefix, handle);
    setChild(this.#inners, root, 1, right);
    this.#inners.counts[root] = 2;
    this.#root = root;
    this.#levels += 1;
  }

  /** Half of the entries go to a new node on the right; only the last one where entries come in ascending order. */
  #split(pool: NodePool, node: number, slot: number): number {
    const right = pool.take();
    const at = slot === NODE_ENTRIES ? NODE_ENTRIES - 1 : NODE_ENTRIES >>> 1;
    move(pool, { node, slot: at }, { node: right, slot: 0 }, NODE_ENTRIES - at);
    pool.counts[node] = at;
    pool.counts[right] = NODE_ENTRIES - at;
    if (pool === this.#leaves) {
      this.#chain(right, pool.next[node] as number);
      this.#chain(node, right);
      if (this.#last === node) this.#last = right;
    }
    return right;
  }

  /** Makes two leaves neighbours; `NONE` is the end. */
  #chain(left: number, right: number): void {
    if (left !== NONE) this.#leaves.next[left] = right;
    if (right !== NONE) this.#leaves.previous[right] = left;
  }

  #take(pool: NodePool, node: number, slot: number): void {
    shift(pool, node, slot + 1, -1);
    pool.counts[node] = (pool.counts[node] as number) - 1;
  }

  /** The first entry of a node has changed: so has its separator in the first ancestor where it is one. */
  #renewSeparator(pool: NodePool, node: number, depth: number): void {
    const prefix = prefixIn(pool, node, 0);
    const handle = handleIn(pool, node, 0);
    for (let above = depth - 1; above >= 0; above--) {
      const slot = this.#pathSlots[above] as number;
      setEntry(this.#inners, this.#path[above] as number, slot, prefix, handle);
      if (slot > 0) return;
    }
  }

  /** A leaf with few entries goes: they move to a neighbour below the same parent that has room. */
  #thinOut(leaf: number, count: number): void {
    const depth = this.#levels - 1;
    const parent = this.#path[depth] as number;
    const slot = this.#pathSlots[depth] as number;
    if (count === 0) {
      this.#dropLeaf(leaf);
      return;
    }
    const hasNext = slot + 1 < (this.#inners.counts[parent] as number);
    if (!hasNext && slot === 0) return;
    const leftSlot = hasNext ? slot : slot - 1;
    const left = childIn(this.#inners, parent, leftSlot);
    const right = childIn(this.#inners, parent, leftSlot + 1);
    const leftCount = this.#leaves.counts[left] as number;
    const rightCount = this.#leaves.counts[right] as number;
    if (leftCount + rightCount > MERGED_MAX) return;
    move(this.#leaves, { node: right, slot: 0 }, { node: left, slot: leftCount }, rightCount);
    this.#leaves.counts[left] = leftCount + rightCount;
    this.#pathSlots[depth] = leftSlot + 1;
    this.#dropLeaf(right);
  }

  /** A leaf without entries, at the end of the path, leaves the chain and its parents; empty parents go with it. */
  #dropLeaf(leaf: number): void {
    const previous = this.#leaves.previous[leaf] as number;
    const next = this.#leaves.next[leaf] as number;
    this.#chain(previous, next);
    if (this.#first === leaf) this.#first = next;
    if (this.#last === leaf) this.#last = previous;
    this.#leaves.giveBack(leaf);
    for (let depth = this.#levels - 1; depth >= 0; depth--) {
      const node = this.#path[depth] as number;
      const slot = this.#pathSlots[depth] as number;
      this.#take(this.#inners, node, slot);
      if ((this.#inners.counts[node] as number) > 0) {
        if (slot === 0) this.#renewSeparator(this.#inners, node, depth);
        break;
      }
      this.#inners.giveBack(node);
    }
    this.#lowerRoot();
  }

  #lowerRoot(): void {
    while (this.#levels > 0 && (this.#inners.counts[this.#root] as number) === 1) {
      const only = childIn(this.#inners, this.#root, 0);
      this.#inners.giveBack(this.#root);
      this.#root = only;
      this.#levels -= 1;
    }
  }
}
