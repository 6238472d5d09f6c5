/**
 * Where a value of MessagePack ends, without reading it.
 *
 * `skip` trusts its bytes. `checkedEnd` trusts nothing: what it has accepted, `skip` stays within and `decode` reads
 * without an error. It refuses nesting beyond 128 levels, so that nobody who recurses over accepted bytes runs out of
 * stack.
 */
import { dateTimeFromBytes } from '../schema/datetime.ts';
import { decimalFromBytes } from '../schema/decimal.ts';
import { extensionType } from './extension.ts';

const DEEPEST = 128;

const SIZES_FROM_C0: readonly number[] = [
  // c0: nil, never, false, true, bin 8/16/32, ext 8/16/32, float 32/64, uint 8/16/32/64
  1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9,
  // d0: int 8/16/32/64, fixext 1/2/4/8/16, str 8/16/32, array 16/32, map 16/32
  2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0,
];

/** Sizes of values whose first byte says it all; 0 for those with a length or with values within. */
const FIXED_SIZES = Uint8Array.from({ length: 256 }, (_, first) => fixedSize(first));

/** Bytes before the content, of a value that has a length or values within. */
const HEADERS_FROM_C0: readonly number[] = [
  0, 0, 0, 0, 2, 3, 5, 3, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5,
];
const HEADER_SIZES = Uint8Array.from({ length: 256 }, (_, first) =>
  first < 0xc0 ? 1 : (HEADERS_FROM_C0[first - 0xc0] ?? 0),
);

function fixedSize(first: number): number {
  if (first < 0x80 || first >= 0xe0) return 1;
  if (first < 0xa0) return 0;
  if (first < 0xc0) return 1 + (first & 0x1f);
  return SIZES_FROM_C0[first - 0xc0] ?? 0;
}

/** The position behind the value at `at`; the bytes are known to be valid. */
export function skip(bytes: Uint8Array, at: number): number {
  const size = FIXED_SIZES[bytes[at] as number] as number;
  return size !== 0 ? at + size : skipMany(bytes, at, 1);
}

/** The position behind `count` values. */
export function skipMany(bytes: Uint8Array, at: number, count: number): number {
  let end = at;
  for (let left = count; left > 0; left--) {
    const first = bytes[end] as number;
    const size = FIXED_SIZES[first] as number;
    if (size !== 0) {
      end += size;
    } else if (isContainer(first)) {
      left += within(bytes, end, first);
      end += HEADER_SIZES[first] as number;
    } else {
      end += (HEADER_SIZES[first] as number) + contentLength(bytes, end, first);
    }
  }
  return end;
}

/** The position behind the value at `at`, or -1 where no whole valid value lies before `limit`. */
export function checkedEnd(bytes: Uint8Array, at: number, limit: number): number {
  return checkedMany(bytes, { at, limit: Math.min(limit, bytes.length) }, 1, 0);
}

interface Range {
  readonly at: number;
  readonly limit: number;
}

function checkedMany(bytes: Uint8Array, range: Range, count: number, depth: number): number {
  const { limit } = range;
  let at = range.at;
  // Every value has a byte at least: a count that cannot be true is refused before it costs anything.
  if (count > limit - at || depth > DEEPEST) return -1;
  for (let left = count; left > 0; left--) {
    const first = at < limit ? (bytes[at] as number) : 0xc1;
    const size = FIXED_SIZES[first] as number;
    if (size !== 0 && (first < 0xd4 || first > 0xd8)) at += size;
    else at = checkedLong(bytes, { at, limit }, first, depth);
    if (at < 0 || at > limit) return -1;
  }
  return at;
}

function checkedLong(bytes: Uint8Array, range: Range, first: number, depth: number): number {
  const { at, limit } = range;
  const behind = at + (HEADER_SIZES[first] as number);
  if (first === 0xc1 || behind > limit) return -1;
  if (isContainer(first)) {
    return checkedMany(bytes, { at: behind, limit }, within(bytes, at, first), depth + 1);
  }
  const end = behind + contentLength(bytes, at, first);
  if (end > limit) return -1;
  return !isExtension(first) || isKnownContent(bytes, bytes[behind - 1] as number, behind, end)
    ? end
    : -1;
}

function isContainer(first: number): boolean {
  return first < 0xa0 || first >= 0xdc;
}

function isExtension(first: number): boolean {
  return (first >= 0xd4 && first <= 0xd8) || (first >= 0xc7 && first <= 0xc9);
}

/** An extension that is a value here must be one. */
function isKnownContent(bytes: Uint8Array, type: number, start: number, end: number): boolean {
  if (type === extensionType.uuid) return end - start === 16;
  if (type === extensionType.decimal) return decimalFromBytes(bytes, start, end) !== undefined;
  if (type === extensionType.dateTime) return dateTimeFromBytes(bytes, start, end) !== undefined;
  return true;
}

/** Bytes of content behind the header of a text, a binary or an extension. */
function contentLength(bytes: Uint8Array, at: number, first: number): number {
  switch (first) {
    case 0xc4:
    case 0xc7:
    case 0xd9:
      return bytes[at + 1] as number;
    case 0xc5:
    case 0xc8:
    case 0xda:
      return uint16(bytes, at + 1);
    case 0xc6:
    case 0xc9:
    case 0xdb:
      return uint32(bytes, at + 1);
    default:
      return 1 << (first - 0xd4);
  }
}

/** How many values a container holds: of a map, keys and values. */
function within(bytes: Uint8Array, at: number, first: number): number {
  if (first < 0x90) return (first & 0x0f) * 2;
  if (first < 0xa0) return first & 0x0f;
  const count = (first & 1) === 0 ? uint16(bytes, at + 1) : uint32(bytes, at + 1);
  return first >= 0xde ? count * 2 : count;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2);
}
