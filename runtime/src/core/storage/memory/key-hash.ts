/**
 * Handles by the hash of a unique key, for reads of one row.
 *
 * Extendible hashing: the first bits of a hash choose a segment of 1024 slots in a directory, the last ones a slot in
 * it. A full segment is split alone, so that growing never stops the instance for long. A slot holds the whole hash
 * beside the handle, so tuples are only looked at when they are what is looked for.
 */
import type { MemoryBudget } from './memory-budget.ts';

const SLOT_BITS = 10;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;
/** Words of 32 bits: each slot has a hash and a handle. */
const SEGMENT_WORDS = 2 * SLOTS;
/** A segment with more handles is split. */
const FULL = Math.floor(SLOTS * 0.75);
/** Segments lie in slabs, which never move; only the first one grows to its full size. */
const SLAB_BITS = 5;
const SLAB_SEGMENTS = 1 << SLAB_BITS;
const SLAB_MASK = SLAB_SEGMENTS - 1;
/** Beyond it a segment takes what it gets: only keys of equal hashes get so far. */
const DEPTH_MAX = 22;

export class KeyHash {
  readonly #budget: MemoryBudget;
  readonly #slabs: Uint32Array[] = [];
  #directory = new Int32Array(1);
  /** 32 less the number of bits that choose in the directory. */
  #shift = 32;
  readonly #depths: number[] = [];
  readonly #used: number[] = [];
  /** Keys of so many equal hashes that their segment is full: few, or made to be so. */
  readonly #overflow = new Map<number, number[]>();
  #bytes = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
    this.#addSegment(0);
  }

  get usedBytes(): number {
    return this.#bytes;
  }

  /** All of them, in no order. */
  handles(): Uint32Array {
    const found = new Uint32Array(this.#used.reduce((sum, used) => sum + used, 0));
    let count = 0;
    for (const words of this.#slabs) {
      for (let at = 1; at < words.length; at += 2) {
        if (words[at] !== 0) found[count++] = words[at] as number;
      }
    }
    const others = [...this.#overflow.values()].flat();
    return others.length === 0 ? found : Uint32Array.from([...found, ...others]);
  }

  dispose(): void {
    this.#budget.add(-this.#bytes);
    this.#bytes = 0;
  }

  /** The handle with this hash of which the matcher says that it is equal; 0 when there is none. */
  find(hash: number, matcher: { equals(handle: number): boolean }): number {
    const segment = this.#segmentOf(hash);
    const words = this.#slabs[segment >> SLAB_BITS] as Uint32Array;
    const base = (segment & SLAB_MASK) * SEGMENT_WORDS;
    for (let slot = hash & SLOT_MASK; ; slot = (slot + 1) & SLOT_MASK) {
      const at = base + 2 * slot;
      const handle = words[at + 1] as number;
      if (handle === 0) return this.#overflow.size === 0 ? 0 : this.#findOverflow(hash, matcher);
      if (words[at] === hash && matcher.equals(handle)) return handle;
    }
  }

  add(hash: number, handle: number): void {
    let segment = this.#segmentOf(hash);
    while (
      (this.#used[segment] as number) >= FULL &&
      (this.#depths[segment] as number) < DEPTH_MAX
    ) {
      this.#split(segment, hash);
      segment = this.#segmentOf(hash);
    }
    // One slot stays empty, so that every search ends.
    if ((this.#used[segment] as number) >= SLOTS - 1) {
      this.#overflow.set(hash, [...(this.#overflow.get(hash) ?? []), handle]);
      return;
    }
    this.#place(segment, hash, handle);
  }

  /** `from` is here under this hash. */
  exchange(hash: number, from: number, to: number): void {
    if (this.#exchangeOverflow(hash, from, [to])) return;
    const at = this.#at(hash, from);
    (this.#slabs[this.#segmentOf(hash) >> SLAB_BITS] as Uint32Array)[at + 1] = to;
  }

  /** Moves up what comes behind, so that no search ends too early. */
  remove(hash: number, handle: number): void {
    if (this.#exchangeOverflow(hash, handle, [])) return;
    const segment = this.#segmentOf(hash);
    const words = this.#slabs[segment >> SLAB_BITS] as Uint32Array;
    const base = (segment & SLAB_MASK) * SEGMENT_WORDS;
    this.#used[segment] = (this.#used[segment] as number) - 1;
    let hole = (this.#at(hash, handle) - base) >> 1;
    for (let slot = (hole + 1) & SLOT_MASK; ; slot = (slot + 1) & SLOT_MASK) {
      const at = base + 2 * slot;
      if (words[at + 1] === 0) break;
      const home = (words[at] as number) & SLOT_MASK;
      if (((slot - home) & SLOT_MASK) < ((slot - hole) & SLOT_MASK)) continue;
      words[base + 2 * hole] = words[at] as number;
      words[base + 2 * hole + 1] = words[at + 1] as number;
      hole = slot;
    }
    words[base + 2 * hole + 1] = 0;
  }

  #findOverflow(hash: number, matcher: { equals(handle: number): boolean }): number {
    return this.#overflow.get(hash)?.find((handle) => matcher.equals(handle)) ?? 0;
  }

  #exchangeOverflow(hash: number, from: number, to: readonly number[]): boolean {
    const handles = this.#overflow.get(hash);
    if (handles?.includes(from) !== true) return false;
    const left = [...handles.filter((handle) => handle !== from), ...to];
    if (left.length > 0) this.#overflow.set(hash, left);
    else this.#overflow.delete(hash);
    return true;
  }

  #segmentOf(hash: number): number {
    // A shift by 32 would be one by 0.
    return this.#shift === 32 ? 0 : (this.#directory[hash >>> this.#shift] as number);
  }

  #at(hash: number, handle: number): number {
    const segment = this.#segmentOf(hash);
    const words = this.#slabs[segment >> SLAB_BITS] as Uint32Array;
    const base = (segment & SLAB_MASK) * SEGMENT_WORDS;
    let slot = hash & SLOT_MASK;
    while (words[base + 2 * slot + 1] !== handle) slot = (slot + 1) & SLOT_MASK;
    return base + 2 * slot;
  }

  #place(segment: number, hash: number, handle: number): void {
    const words = this.#slabs[segment >> SLAB_BITS] as Uint32Array;
    const base = (segment & SLAB_MASK) * SEGMENT_WORDS;
    let slot = hash & SLOT_MASK;
    while (words[base + 2 * slot + 1] !== 0) slot = (slot + 1) & SLOT_MASK;
    words[base + 2 * slot] = hash;
    words[base + 2 * slot + 1] = handle;
    this.#used[segment] = (this.#used[segment] as number) + 1;
  }

  #addSegment(depth: number): number {
    const segment = this.#depths.length;
    const slab = segment >> SLAB_BITS;
    const needed = (segment & SLAB_MASK) + 1;
    const before = this.#slabs[slab];
    if (before === undefined || before.length < needed * SEGMENT_WORDS) {
      const isFirst = slab === 0;
      const segments = isFirst
        ? Math.min(SLAB_SEGMENTS, 2 ** Math.ceil(Math.log2(needed)))
        : SLAB_SEGMENTS;
      const words = new Uint32Array(new SharedArrayBuffer(4 * segments * SEGMENT_WORDS));
      if (before !== undefined) words.set(before);
      this.#slabs[slab] = words;
      const added = words.byteLength - (before?.byteLength ?? 0);
      this.#bytes += added;
      this.#budget.add(added);
    }
    this.#depths.push(depth);
    this.#used.push(0);
    return segment;
  }

  /** Half of the directory's entries for a segment then lead to a new one, with the handles that belong there. */
  #split(segment: number, hash: number): void {
    const depth = this.#depths[segment] as number;
    if (depth === 32 - this.#shift) this.#doubleDirectory();
    const other = this.#addSegment(depth + 1);
    this.#depths[segment] = depth + 1;
    this.#used[segment] = 0;
    const span = 2 ** (32 - this.#shift - depth);
    const first = depth === 0 ? 0 : Math.floor((hash >>> this.#shift) / span) * span;
    this.#directory.fill(other, first + span / 2, first + span);
    const base = (segment & SLAB_MASK) * SEGMENT_WORDS;
    const words = this.#slabs[segment >> SLAB_BITS] as Uint32Array;
    const old = words.slice(base, base + SEGMENT_WORDS);
    words.fill(0, base, base + SEGMENT_WORDS);
    for (let at = 0; at < SEGMENT_WORDS; at += 2) {
      if (old[at + 1] === 0) continue;
      const own = old[at] as number;
      const isUpper = ((own >>> (31 - depth)) & 1) === 1;
      this.#place(isUpper ? other : segment, own, old[at + 1] as number);
    }
  }

  #doubleDirectory(): void {
    const larger = new Int32Array(2 * this.#directory.length);
    for (let i = 0; i < larger.length; i++) larger[i] = this.#directory[i >> 1] as number;
    this.#directory = larger;
    this.#shift -= 1;
  }
}
