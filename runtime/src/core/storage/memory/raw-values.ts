/**
 * Values of tuples as they lie in MessagePack: where they are, their order, and numbers that keep the order.
 *
 * The common cases never leave the bytes; mixed numbers, decimals, times and collations are decoded and compared as
 * `compareValues` does, so that there is one order.
 */
import { decode } from '../../msgpack/decode.ts';
import { skip } from '../../msgpack/skip.ts';
import { compareValues } from '../../schema/values.ts';

export const kinds = {
  integer: 0,
  bytes: 1,
  number: 2,
  boolean: 3,
  uuid: 4,
  datetime: 5,
  collated: 6,
  scalar: 7,
} as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

export const MISSING = -1;

/** Number of fields of a tuple. */
export function fieldCount(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if (head < 0xa0) return head & 0x0f;
  if (head === 0xdc) return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  return uint32(bytes, at + 1);
}

/** Where the first field begins. */
export function firstField(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if (head < 0xa0) return at + 1;
  return head === 0xdc ? at + 3 : at + 5;
}

/** Where a field begins; `MISSING` behind the last. */
export function locateField(bytes: Uint8Array, at: number, field: number): number {
  if (field >= fieldCount(bytes, at)) return MISSING;
  let position = firstField(bytes, at);
  for (let left = field; left > 0; left--) {
    const head = bytes[position] as number;
    // Small integers and short texts are most of what is skipped.
    if (head < 0x80) position += 1;
    else if ((head & 0xe0) === 0xa0) position += 1 + (head & 0x1f);
    else position = skip(bytes, position);
  }
  return position;
}

export function isNil(bytes: Uint8Array, at: number): boolean {
  return at === MISSING || bytes[at] === 0xc0;
}

/** Neither is nil. Negative, zero or positive as the first is before, equal to or after the second. */
export function compareRaw(
  kind: Kind,
  bytesA: Uint8Array,
  a: number,
  bytesB: Uint8Array,
  b: number,
): number {
  if (kind === kinds.bytes) return compareBytes(bytesA, a, bytesB, b);
  if (kind === kinds.integer) return compareIntegers(bytesA, a, bytesB, b);
  return compareOthers(kind, bytesA, a, bytesB, b);
}

function compareOthers(
  kind: Kind,
  bytesA: Uint8Array,
  a: number,
  bytesB: Uint8Array,
  b: number,
): number {
  if (kind === kinds.boolean) return (bytesA[a] as number) - (bytesB[b] as number);
  if (kind === kinds.uuid) return compareRuns(bytesA, a + 2, bytesB, b + 2, 16);
  if (kind === kinds.number) {
    const left = doubleAt(bytesA, a);
    const right = doubleAt(bytesB, b);
    if (left < right) return -1;
    if (left > right) return 1;
    const areExact = !isExtension(bytesA[a] as number) && !isExtension(bytesB[b] as number);
    if (areExact && Math.abs(left) <= Number.MAX_SAFE_INTEGER) return 0;
  }
  return compareValues(decode(bytesA, a), decode(bytesB, b));
}

/** Texts or binaries of the same class. */
function compareBytes(bytesA: Uint8Array, a: number, bytesB: Uint8Array, b: number): number {
  const headA = bytesA[a] as number;
  const headB = bytesB[b] as number;
  if ((headA & 0xe0) === 0xa0 && (headB & 0xe0) === 0xa0) {
    const lengthA = headA & 0x1f;
    const lengthB = headB & 0x1f;
    const shared = lengthA < lengthB ? lengthA : lengthB;
    for (let i = 1; i <= shared; i++) {
      const difference = (bytesA[a + i] as number) - (bytesB[b + i] as number);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }
  const lengthA = runLength(bytesA, a);
  const lengthB = runLength(bytesB, b);
  const shared = lengthA < lengthB ? lengthA : lengthB;
  const startA = runStart(bytesA, a);
  const startB = runStart(bytesB, b);
  const side = compareRuns(bytesA, startA, bytesB, startB, shared);
  return side === 0 ? lengthA - lengthB : side;
}

function compareRuns(
  bytesA: Uint8Array,
  a: number,
  bytesB: Uint8Array,
  b: number,
  length: number,
): number {
  for (let i = 0; i < length; i++) {
    const difference = (bytesA[a + i] as number) - (bytesB[b + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareIntegers(bytesA: Uint8Array, a: number, bytesB: Uint8Array, b: number): number {
  const left = integerAt(bytesA, a);
  const right = integerAt(bytesB, b);
  if (left !== right) return left < right ? -1 : 1;
  if (left <= Number.MAX_SAFE_INTEGER && left >= Number.MIN_SAFE_INTEGER) return 0;
  // Beyond 2^53 the nearest doubles are equal; the low halves, with equal signs, decide.
  const highs = wideHigh(bytesA, a) - wideHigh(bytesB, b);
  return highs === 0 ? uint32(bytesA, a + 5) - uint32(bytesB, b + 5) : highs;
}

function wideHigh(bytes: Uint8Array, at: number): number {
  const high = uint32(bytes, at + 1);
  return bytes[at] === 0xd3 ? high | 0 : high;
}

export function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** An integer as the nearest double. */
export function integerAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if (head < 0x80) return head;
  if (head === 0xcd) return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (head === 0xce) return uint32(bytes, at + 1);
  if (head >= 0xe0) return head - 0x100;
  return otherIntegerAt(bytes, at, head);
}

function otherIntegerAt(bytes: Uint8Array, at: number, head: number): number {
  switch (head) {
    case 0xcc:
      return bytes[at + 1] as number;
    case 0xcf:
      return uint32(bytes, at + 1) * 0x1_0000_0000 + uint32(bytes, at + 5);
    case 0xd0:
      return ((bytes[at + 1] as number) << 24) >> 24;
    case 0xd1:
      return (((bytes[at + 1] as number) << 24) >> 16) | (bytes[at + 2] as number);
    case 0xd2:
      return uint32(bytes, at + 1) | 0;
    default:
      return (uint32(bytes, at + 1) | 0) * 0x1_0000_0000 + uint32(bytes, at + 5);
  }
}

const doubles = new DataView(new ArrayBuffer(8));

/** Any number as the nearest double: equal ones may still differ. */
export function doubleAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if (head === 0xcb) {
    doubles.setUint32(0, uint32(bytes, at + 1));
    doubles.setUint32(4, uint32(bytes, at + 5));
    return doubles.getFloat64(0);
  }
  if (head === 0xca) {
    doubles.setUint32(0, uint32(bytes, at + 1));
    return doubles.getFloat32(0);
  }
  return isExtension(head) ? Number(decode(bytes, at)) : integerAt(bytes, at);
}

function isExtension(head: number): boolean {
  return head === 0xc7 || (head >= 0xd4 && head <= 0xd8);
}

/** Of a text or binary. */
export function runLength(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if ((head & 0xe0) === 0xa0) return head & 0x1f;
  switch (head) {
    case 0xd9:
    case 0xc4:
      return bytes[at + 1] as number;
    case 0xda:
    case 0xc5:
      return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    default:
      return uint32(bytes, at + 1);
  }
}

export function runStart(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  if ((head & 0xe0) === 0xa0) return at + 1;
  if (head === 0xd9 || head === 0xc4) return at + 2;
  return head === 0xda || head === 0xc5 ? at + 3 : at + 5;
}
