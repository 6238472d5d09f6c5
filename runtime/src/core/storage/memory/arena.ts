/**
 * Memory for tuples outside of the JavaScript heap.
 *
 * A handle counts units of 16 bytes through chunks of 16 MiB; 0 is none. Blocks of one size class share pages of
 * 256 KiB, which go back when their last block is freed, so that sizes may change over the life of a space. A block
 * is a length of 4 bytes and the tuple. Chunks are never given back: pages are.
 *
 * Chunks, like the nodes of trees, are buffers that could be shared: V8 does not count those when it decides whether
 * to look for garbage, of which there is none in them.
 */
import { assert } from '../../../foundation/assert.ts';
import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';
import type { MemoryBudget } from './memory-budget.ts';

const UNIT_BITS = 4;
const CHUNK_UNIT_BITS = 20;
const CHUNK_UNIT_MASK = (1 << CHUNK_UNIT_BITS) - 1;
const CHUNK_BYTES = 1 << (CHUNK_UNIT_BITS + UNIT_BITS);
const PAGE_UNIT_BITS = 14;
const PAGE_UNITS = 1 << PAGE_UNIT_BITS;
export const PAGE_BYTES = PAGE_UNITS << UNIT_BITS;
const PAGES_PER_CHUNK = CHUNK_BYTES / PAGE_BYTES;
const CHUNKS_MAX = 2 ** (32 - CHUNK_UNIT_BITS);

/** The length before each tuple. */
export const BLOCK_HEADER = 4;
/** A larger tuple has pages of its own, side by side in one chunk. */
const LARGEST_CLASS_UNITS = 4096;
export const TUPLE_BYTES_MAX = CHUNK_BYTES - BLOCK_HEADER;

const FREE_PAGE = 0xff;
const LARGE_PAGE = 0xfe;
const NONE = -1;
/** Up to here a loop of bytes costs less than a call. */
const SHORT = 192;
const GROWTH = 4;

export class Arena {
  readonly chunks: Uint8Array[] = [];
  readonly #budget: MemoryBudget;
  readonly #classUnits: readonly number[];
  /** Class of a size in units. */
  readonly #classOf: Uint8Array;
  /** First page with a free block, per class. */
  readonly #partial: Int32Array;
  #freePages: number[] = [];
  #pageClass = new Uint8Array(0);
  /** Free blocks of a page are chained by offsets in units, -1 at the end. */
  #pageFree = new Int32Array(0);
  #pageUsed = new Int32Array(0);
  /** Units from here on were never used. */
  #pageFresh = new Int32Array(0);
  #pageNext = new Int32Array(0);
  #pagePrevious = new Int32Array(0);
  #tupleBytes = 0;
  #usedPages = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
    this.#classUnits = sizeClasses();
    this.#classOf = new Uint8Array(LARGEST_CLASS_UNITS + 1);
    let index = 0;
    for (let units = 1; units <= LARGEST_CLASS_UNITS; units++) {
      if (units > (this.#classUnits[index] as number)) index++;
      this.#classOf[units] = index;
    }
    this.#partial = new Int32Array(this.#classUnits.length).fill(NONE);
  }

  /** Bytes of tuples, without what is lost to classes and pages. */
  get tupleBytes(): number {
    return this.#tupleBytes;
  }

  get usedBytes(): number {
    return this.#usedPages * PAGE_BYTES;
  }

  chunkOf(handle: number): Uint8Array {
    return this.chunks[handle >>> CHUNK_UNIT_BITS] as Uint8Array;
  }

  /** Where the tuple begins in its chunk. */
  startOf(handle: number): number {
    return ((handle & CHUNK_UNIT_MASK) << UNIT_BITS) + BLOCK_HEADER;
  }

  sizeOf(handle: number): number {
    const chunk = this.chunks[handle >>> CHUNK_UNIT_BITS] as Uint8Array;
    return lengthAt(chunk, (handle & CHUNK_UNIT_MASK) << UNIT_BITS);
  }

  /** A copy of the bytes from `start` to `end`. */
  store(bytes: Uint8Array, start: number, end: number): number {
    const size = end - start;
    const handle = this.#allocate(size + BLOCK_HEADER);
    const chunk = this.chunks[handle >>> CHUNK_UNIT_BITS] as Uint8Array;
    const at = (handle & CHUNK_UNIT_MASK) << UNIT_BITS;
    chunk[at] = size;
    chunk[at + 1] = size >>> 8;
    chunk[at + 2] = size >>> 16;
    chunk[at + 3] = size >>> 24;
    const to = at + BLOCK_HEADER;
    // A call costs more than the few bytes of most tuples.
    if (size <= SHORT) for (let i = 0; i < size; i++) chunk[to + i] = bytes[start + i] as number;
    else chunk.set(bytes.subarray(start, end), to);
    this.#tupleBytes += size;
    return handle;
  }

  free(handle: number): void {
    const page = handle >>> PAGE_UNIT_BITS;
    const sizeClass = this.#pageClass[page] as number;
    this.#tupleBytes -= this.sizeOf(handle);
    if (sizeClass === LARGE_PAGE) {
      this.#freeLarge(page);
      return;
    }
    assert(sizeClass !== FREE_PAGE, 'a block is freed once');
    const chunk = this.chunks[handle >>> CHUNK_UNIT_BITS] as Uint8Array;
    const at = (handle & CHUNK_UNIT_MASK) << UNIT_BITS;
    const first = this.#pageFree[page] as number;
    chunk[at] = first;
    chunk[at + 1] = first >>> 8;
    chunk[at + 2] = first >>> 16;
    chunk[at + 3] = first >>> 24;
    // Nothing that is read by mistake looks like a tuple.
    chunk[at + BLOCK_HEADER] = 0xc1;
    const wasFull = first === NONE && !this.#hasFresh(page, sizeClass);
    this.#pageFree[page] = handle & (PAGE_UNITS - 1);
    const used = (this.#pageUsed[page] as number) - 1;
    this.#pageUsed[page] = used;
    if (wasFull) this.#link(page, sizeClass);
    if (used === 0) this.#release(page, sizeClass);
  }

  /** Can a tuple of that size be stored without more memory than the budget has? */
  hasRoomFor(size: number): boolean {
    const units = (size + BLOCK_HEADER + 15) >>> UNIT_BITS;
    if (units > LARGEST_CLASS_UNITS) return this.#budget.hasRoomFor(units << UNIT_BITS);
    if (this.#partial[this.#classOf[units] as number] !== NONE) return true;
    return this.#budget.hasRoomFor(PAGE_BYTES);
  }

  #allocate(size: number): number {
    const units = (size + 15) >>> UNIT_BITS;
    if (units > LARGEST_CLASS_UNITS) return this.#allocateLarge(units);
    const sizeClass = this.#classOf[units] as number;
    let page = this.#partial[sizeClass] as number;
    if (page === NONE) page = this.#takePage(sizeClass);
    this.#pageUsed[page] = (this.#pageUsed[page] as number) + 1;
    const base = page << PAGE_UNIT_BITS;
    const free = this.#pageFree[page] as number;
    if (free === NONE) {
      const fresh = this.#pageFresh[page] as number;
      this.#pageFresh[page] = fresh + (this.#classUnits[sizeClass] as number);
      if (!this.#hasFresh(page, sizeClass)) this.#unlink(page, sizeClass);
      return (base + fresh) >>> 0;
    }
    const handle = (base + free) >>> 0;
    const chunk = this.chunks[handle >>> CHUNK_UNIT_BITS] as Uint8Array;
    const next = lengthAt(chunk, (handle & CHUNK_UNIT_MASK) << UNIT_BITS);
    this.#pageFree[page] = next;
    if (next === NONE && !this.#hasFresh(page, sizeClass)) this.#unlink(page, sizeClass);
    return handle;
  }

  #hasFresh(page: number, sizeClass: number): boolean {
    const units = this.#classUnits[sizeClass] as number;
    return (this.#pageFresh[page] as number) + units <= PAGE_UNITS;
  }

  #takePage(sizeClass: number): number {
    const page = this.#freePages.pop() ?? this.#addPages();
    this.#pageClass[page] = sizeClass;
    this.#pageFree[page] = NONE;
    this.#pageUsed[page] = 0;
    // Handle 0 is none.
    this.#pageFresh[page] = page === 0 ? 1 : 0;
    this.#usedPages += 1;
    this.#budget.add(PAGE_BYTES);
    this.#link(page, sizeClass);
    return page;
  }

  #release(page: number, sizeClass: number): void {
    this.#unlink(page, sizeClass);
    this.#giveBack(page);
  }

  #giveBack(page: number): void {
    this.#pageClass[page] = FREE_PAGE;
    this.#usedPages -= 1;
    this.#budget.add(-PAGE_BYTES);
    this.#freePages.push(page);
  }

  #link(page: number, sizeClass: number): void {
    const next = this.#partial[sizeClass] as number;
    this.#pageNext[page] = next;
    this.#pagePrevious[page] = NONE;
    if (next !== NONE) this.#pagePrevious[next] = page;
    this.#partial[sizeClass] = page;
  }

  #unlink(page: number, sizeClass: number): void {
    const next = this.#pageNext[page] as number;
    const previous = this.#pagePrevious[page] as number;
    if (previous === NONE) this.#partial[sizeClass] = next;
    else this.#pageNext[previous] = next;
    if (next !== NONE) this.#pagePrevious[next] = previous;
  }

  /** Gives one new free page; the others that came with it wait in the list. */
  #addPages(): number {
    const last = this.chunks.length - 1;
    const isGrowing = last === 0 && (this.chunks[0] as Uint8Array).length < CHUNK_BYTES;
    return isGrowing ? this.#growFirstChunk() : this.#addChunk();
  }

  /** An instance with little data takes little: only the first chunk grows, by being copied. */
  #growFirstChunk(): number {
    const before = this.chunks[0] as Uint8Array;
    const larger = new Uint8Array(
      new SharedArrayBuffer(Math.min(CHUNK_BYTES, GROWTH * before.length)),
    );
    larger.set(before);
    this.chunks[0] = larger;
    return this.#offerPages(before.length / PAGE_BYTES, larger.length / PAGE_BYTES);
  }

  #addChunk(): number {
    const index = this.chunks.length;
    if (index >= CHUNKS_MAX) {
      throw new ClusterError('MEMORY_FULL', {
        message: 'This instance holds 64 GiB of tuples, which is the most that one can hold.',
        protocolNumber: errorNumber.MEMORY_ISSUE,
      });
    }
    const chunk = new Uint8Array(new SharedArrayBuffer(index === 0 ? PAGE_BYTES : CHUNK_BYTES));
    this.chunks.push(chunk);
    const first = index * PAGES_PER_CHUNK;
    return this.#offerPages(first, first + chunk.length / PAGE_BYTES);
  }

  #offerPages(first: number, end: number): number {
    this.#growPages(end);
    for (let page = end - 1; page > first; page--) this.#freePages.push(page);
    return first;
  }

  #growPages(count: number): void {
    if (count <= this.#pageClass.length) return;
    const capacity = Math.max(count, 2 * this.#pageClass.length);
    const classes = new Uint8Array(capacity).fill(FREE_PAGE);
    classes.set(this.#pageClass);
    this.#pageClass = classes;
    this.#pageFree = grown(this.#pageFree, capacity);
    this.#pageUsed = grown(this.#pageUsed, capacity);
    this.#pageFresh = grown(this.#pageFresh, capacity);
    this.#pageNext = grown(this.#pageNext, capacity);
    this.#pagePrevious = grown(this.#pagePrevious, capacity);
  }

  /** Whole pages side by side; `pageUsed` of the first says how many. */
  #allocateLarge(units: number): number {
    assert(units <= CHUNK_BYTES >> UNIT_BITS, 'a tuple fits into a chunk');
    const count = Math.ceil(units / PAGE_UNITS);
    let first = this.#findRun(count);
    while (first === NONE) {
      this.#freePages.push(this.#addPages());
      first = this.#findRun(count);
    }
    const taken = new Set(Array.from({ length: count }, (_, index) => first + index));
    this.#freePages = this.#freePages.filter((page) => !taken.has(page));
    for (const page of taken) this.#pageClass[page] = LARGE_PAGE;
    this.#pageUsed[first] = count;
    this.#usedPages += count;
    this.#budget.add(count * PAGE_BYTES);
    // Handle 0 is none: the first page of all is never the first of a large block.
    return (first << PAGE_UNIT_BITS) >>> 0;
  }

  #findRun(count: number): number {
    const free = this.#freePages.filter((page) => page > 0).toSorted((a, b) => a - b);
    let length = 0;
    for (const [index, page] of free.entries()) {
      const follows = index > 0 && free[index - 1] === page - 1 && page % PAGES_PER_CHUNK !== 0;
      length = follows ? length + 1 : 1;
      if (length === count) return page - count + 1;
    }
    return NONE;
  }

  #freeLarge(first: number): void {
    const count = this.#pageUsed[first] as number;
    for (let page = first + count - 1; page >= first; page--) this.#giveBack(page);
  }
}

/** Steps of an eighth to a quarter, so that little is lost within a block. */
function sizeClasses(): readonly number[] {
  const classes: number[] = [];
  for (let units = 1; units <= LARGEST_CLASS_UNITS; ) {
    classes.push(units);
    const power = 2 ** Math.floor(Math.log2(units));
    units += Math.max(1, power / 4);
  }
  return classes;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function grown(array: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(capacity);
  larger.set(array);
  return larger;
}
