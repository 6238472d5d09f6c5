/**
 * Nodes of a tree in typed arrays: 64 entries each of a prefix and a handle, and of a child where they have any.
 *
 * Nodes lie in segments that never move, so that no growth copies much: only the first, small one is exchanged for
 * larger ones until it is of full size.
 */
import type { MemoryBudget } from './memory-budget.ts';

export const NODE_BITS = 6;
export const NODE_ENTRIES = 1 << NODE_BITS;
export const SEGMENT_BITS = 9;
const SEGMENT_NODES = 1 << SEGMENT_BITS;
export const SEGMENT_MASK = SEGMENT_NODES - 1;
const FIRST_NODES = 2;

export const NONE = -1;

export class NodePool {
  readonly prefixes: Float64Array[] = [];
  readonly handles: Uint32Array[] = [];
  readonly children: Int32Array[] = [];
  counts = new Int32Array(FIRST_NODES);
  /** Neighbours in the order of the tree; of leaves only. */
  next = new Int32Array(FIRST_NODES);
  previous = new Int32Array(FIRST_NODES);
  readonly #hasChildren: boolean;
  readonly #budget: MemoryBudget;
  readonly #free: number[] = [];
  #fresh = 0;
  #bytes = 0;

  constructor(hasChildren: boolean, budget: MemoryBudget) {
    this.#hasChildren = hasChildren;
    this.#budget = budget;
  }

  get usedBytes(): number {
    return this.#bytes;
  }

  get usedNodes(): number {
    return this.#fresh - this.#free.length;
  }

  take(): number {
    const node = this.#free.pop() ?? this.#fresh++;
    if (node >> SEGMENT_BITS >= this.prefixes.length || this.#isFirstFull(node)) this.#grow(node);
    if (node >= this.counts.length) this.#growCounts();
    this.counts[node] = 0;
    this.next[node] = NONE;
    this.previous[node] = NONE;
    return node;
  }

  giveBack(node: number): void {
    this.counts[node] = 0;
    this.#free.push(node);
  }

  /** Tells the budget that all of it is gone. */
  dispose(): void {
    this.#budget.add(-this.#bytes);
    this.#bytes = 0;
  }

  #isFirstFull(node: number): boolean {
    const first = this.prefixes[0];
    return node < SEGMENT_NODES && first !== undefined && node << NODE_BITS >= first.length;
  }

  #grow(node: number): void {
    const segment = node >> SEGMENT_BITS;
    const nodes =
      segment > 0 ? SEGMENT_NODES : Math.min(SEGMENT_NODES, Math.max(FIRST_NODES, 4 * node));
    const before = this.prefixes[segment]?.length ?? 0;
    const entries = nodes << NODE_BITS;
    this.prefixes[segment] = enlarged(
      this.prefixes[segment],
      new Float64Array(new SharedArrayBuffer(8 * entries)),
    );
    this.handles[segment] = enlarged(
      this.handles[segment],
      new Uint32Array(new SharedArrayBuffer(4 * entries)),
    );
    if (this.#hasChildren) {
      this.children[segment] = enlarged(
        this.children[segment],
        new Int32Array(new SharedArrayBuffer(4 * entries)),
      );
    }
    const added = (entries - before) * (this.#hasChildren ? 16 : 12);
    this.#bytes += added;
    this.#budget.add(added);
  }

  #growCounts(): void {
    const capacity = 2 * this.counts.length;
    this.counts = enlarged(this.counts, new Int32Array(capacity));
    this.next = enlarged(this.next, new Int32Array(capacity));
    this.previous = enlarged(this.previous, new Int32Array(capacity));
  }
}

function enlarged<T extends Float64Array | Uint32Array | Int32Array>(
  from: T | undefined,
  to: T,
): T {
  if (from !== undefined) to.set(from);
  return to;
}

export function prefixIn(pool: NodePool, node: number, slot: number): number {
  const prefixes = pool.prefixes[node >> SEGMENT_BITS] as Float64Array;
  return prefixes[((node & SEGMENT_MASK) << NODE_BITS) + slot] as number;
}

export function handleIn(pool: NodePool, node: number, slot: number): number {
  const handles = pool.handles[node >> SEGMENT_BITS] as Uint32Array;
  return handles[((node & SEGMENT_MASK) << NODE_BITS) + slot] as number;
}

export function childIn(pool: NodePool, node: number, slot: number): number {
  const children = pool.children[node >> SEGMENT_BITS] as Int32Array;
  return children[((node & SEGMENT_MASK) << NODE_BITS) + slot] as number;
}

export function setHandle(pool: NodePool, node: number, slot: number, handle: number): void {
  const handles = pool.handles[node >> SEGMENT_BITS] as Uint32Array;
  handles[((node & SEGMENT_MASK) << NODE_BITS) + slot] = handle;
}

export function setEntry(
  pool: NodePool,
  node: number,
  slot: number,
  prefix: number,
  handle: number,
): void {
  const segment = node >> SEGMENT_BITS;
  const at = ((node & SEGMENT_MASK) << NODE_BITS) + slot;
  (pool.prefixes[segment] as Float64Array)[at] = prefix;
  (pool.handles[segment] as Uint32Array)[at] = handle;
}

export function setChild(pool: NodePool, node: number, slot: number, child: number): void {
  const children = pool.children[node >> SEGMENT_BITS] as Int32Array;
  children[((node & SEGMENT_MASK) << NODE_BITS) + slot] = child;
}

/** Moves the entries from `slot` on by one place, up or down. */
export function shift(pool: NodePool, node: number, slot: number, by: 1 | -1): void {
  const segment = node >> SEGMENT_BITS;
  const base = (node & SEGMENT_MASK) << NODE_BITS;
  const from = base + slot;
  const end = base + (pool.counts[node] as number);
  const prefixes = pool.prefixes[segment] as Float64Array;
  const handles = pool.handles[segment] as Uint32Array;
  const children = pool.children[segment];
  if (by === 1) {
    for (let i = end; i > from; i--) {
      prefixes[i] = prefixes[i - 1] as number;
      handles[i] = handles[i - 1] as number;
    }
    if (children !== undefined) children.copyWithin(from + 1, from, end);
    return;
  }
  for (let i = from; i < end; i++) {
    prefixes[i - 1] = prefixes[i] as number;
    handles[i - 1] = handles[i] as number;
  }
  if (children !== undefined) children.copyWithin(from - 1, from, end);
}

export function move(
  pool: NodePool,
  from: { readonly node: number; readonly slot: number },
  to: { readonly node: number; readonly slot: number },
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const prefix = prefixIn(pool, from.node, from.slot + i);
    setEntry(pool, to.node, to.slot + i, prefix, handleIn(pool, from.node, from.slot + i));
    if (pool.children.length > 0) {
      setChild(pool, to.node, to.slot + i, childIn(pool, from.node, from.slot + i));
    }
  }
}
