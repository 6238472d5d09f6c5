/** Sorts the handles of a whole index: by prefix, a radix sort of the bits, then equal prefixes by their bytes. */
import type { KeyOrder } from './key-order.ts';

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const PASSES = 6;

/** Entries that are handled in one step, where each is looked up in memory. */
export const STEP_ENTRIES = 4096;
/** The same where they are only moved. */
const STEP_MOVES = 65_536;

export interface SortedEntries {
  readonly prefixes: Float64Array;
  readonly sorted: Uint32Array;
}

export function* sortedEntries(
  handles: Uint32Array,
  order: KeyOrder,
): Generator<void, SortedEntries> {
  const prefixes = new Float64Array(handles.length);
  for (let from = 0; from < handles.length; from += STEP_ENTRIES) {
    fillPrefixes(prefixes, handles, from, order);
    yield;
  }
  const sorted = handles.slice();
  if (!isAscending(prefixes)) yield* sortByPrefix(prefixes, sorted);
  yield* sortTies(prefixes, sorted, order);
  return { prefixes, sorted };
}

/** The same handles in the order of memory, which is faster to go through; those that are given do not stay as they are. */
export function* inOrderOfMemory(handles: Uint32Array): Generator<void, Uint32Array> {
  let own: Uint32Array = handles;
  let next: Uint32Array = new Uint32Array(handles.length);
  const starts = new Uint32Array(DIGITS);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    yield;
    starts.fill(0);
    for (const handle of own) {
      const digit = (handle >>> shift) & (DIGITS - 1);
      starts[digit] = (starts[digit] as number) + 1;
    }
    sumUp(starts);
    for (let i = 0; i < own.length; i++) {
      if (i % STEP_MOVES === 0) yield;
      const handle = own[i] as number;
      const digit = (handle >>> shift) & (DIGITS - 1);
      const to = starts[digit] as number;
      starts[digit] = to + 1;
      next[to] = handle;
    }
    [own, next] = [next, own];
  }
  return own;
}

/** From how often each digit is there to where it begins. */
function sumUp(counts: Uint32Array): void {
  let sum = 0;
  for (let digit = 0; digit < counts.length; digit++) {
    const count = counts[digit] as number;
    counts[digit] = sum;
    sum += count;
  }
}

function fillPrefixes(
  prefixes: Float64Array,
  handles: Uint32Array,
  from: number,
  order: KeyOrder,
): void {
  const end = Math.min(handles.length, from + STEP_ENTRIES);
  for (let i = from; i < end; i++) prefixes[i] = order.prefixOf(handles[i] as number);
}

function isAscending(prefixes: Float64Array): boolean {
  for (let i = 1; i < prefixes.length; i++) {
    if ((prefixes[i] as number) < (prefixes[i - 1] as number)) return false;
  }
  return true;
}

/** The bits of a double, turned so that their order as an unsigned integer is that of the numbers. */
function* sortByPrefix(prefixes: Float64Array, handles: Uint32Array): Generator<void, void> {
  const count = prefixes.length;
  const words = new Uint32Array(prefixes.buffer, prefixes.byteOffset, 2 * count);
  let lows = new Uint32Array(count);
  let highs = new Uint32Array(count);
  toOrderedWords(words, lows, highs);
  let own = handles.slice();
  let [nextLows, nextHighs, nextOwn] = [
    new Uint32Array(count),
    new Uint32Array(count),
    new Uint32Array(count),
  ];
  const starts = new Uint32Array(DIGITS);
  for (let pass = 0; pass < PASSES; pass++) {
    yield;
    if (!countDigits(lows, highs, pass, starts)) continue;
    for (let i = 0; i < count; i++) {
      if (i % STEP_MOVES === 0) yield;
      const digit = digitOf(lows[i] as number, highs[i] as number, pass);
      const to = starts[digit] as number;
      starts[digit] = to + 1;
      nextLows[to] = lows[i] as number;
      nextHighs[to] = highs[i] as number;
      nextOwn[to] = own[i] as number;
    }
    [lows, nextLows] = [nextLows, lows];
    [highs, nextHighs] = [nextHighs, highs];
    [own, nextOwn] = [nextOwn, own];
  }
  handles.set(own);
  backToDoubles(words, lows, highs);
}

function toOrderedWords(words: Uint32Array, lows: Uint32Array, highs: Uint32Array): void {
  for (let i = 0; i < lows.length; i++) {
    // Minus zero and zero are equal.
    const isZero = words[2 * i] === 0 && ((words[2 * i + 1] as number) & 0x7fff_ffff) === 0;
    const low = isZero ? 0 : (words[2 * i] as number);
    const high = isZero ? 0 : (words[2 * i + 1] as number);
    const isNegative = high >>> 31 === 1;
    lows[i] = isNegative ? ~low : low;
    highs[i] = isNegative ? ~high : high | 0x8000_0000;
  }
}

function backToDoubles(words: Uint32Array, lows: Uint32Array, highs: Uint32Array): void {
  for (let i = 0; i < lows.length; i++) {
    const isNegative = (highs[i] as number) >>> 31 === 0;
    words[2 * i] = isNegative ? ~(lows[i] as number) : (lows[i] as number);
    words[2 * i + 1] = isNegative ? ~(highs[i] as number) : (highs[i] as number) & 0x7fff_ffff;
  }
}

/** Where each digit begins in the next order; false when all are equal. */
function countDigits(
  lows: Uint32Array,
  highs: Uint32Array,
  pass: number,
  starts: Uint32Array,
): boolean {
  starts.fill(0);
  for (let i = 0; i < lows.length; i++) {
    const digit = digitOf(lows[i] as number, highs[i] as number, pass);
    starts[digit] = (starts[digit] as number) + 1;
  }
  let sum = 0;
  for (let digit = 0; digit < DIGITS; digit++) {
    const count = starts[digit] as number;
    if (count === lows.length) return false;
    starts[digit] = sum;
    sum += count;
  }
  return true;
}

function digitOf(low: number, high: number, pass: number): number {
  const shift = pass * DIGIT_BITS;
  if (shift >= 32) return (high >>> (shift - 32)) & (DIGITS - 1);
  const fromLow = low >>> shift;
  // The digit that lies across both words.
  const fromHigh = shift + DIGIT_BITS > 32 ? high << (32 - shift) : 0;
  return (fromLow | fromHigh) & (DIGITS - 1);
}

function* sortTies(
  prefixes: Float64Array,
  handles: Uint32Array,
  order: KeyOrder,
): Generator<void, void> {
  let start = 0;
  for (let i = 1; i <= prefixes.length; i++) {
    if (i % STEP_ENTRIES === 0) yield;
    if (i < prefixes.length && prefixes[i] === prefixes[start]) continue;
    if (i - start > 1) {
      handles.subarray(start, i).sort((a, b) => {
        order.probeHandle(b);
        return order.compare(a);
      });
    }
    start = i;
  }
}
