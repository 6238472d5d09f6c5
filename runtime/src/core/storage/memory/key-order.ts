/**
 * The order of one index, made for its parts once: compares stored tuples with a probe, and gives every tuple a
 * number (its prefix) that never contradicts that order, so that most comparisons are of two numbers.
 *
 * Behind the parts of the index come those of the primary key, so that no two tuples are equal. Where the first part
 * is an integer, the beginning of the second is added to it as a fraction below 1, in as many bits as a double has
 * left. Rounding keeps the order: it never puts a sum behind a larger one, it only makes two of them equal.
 */
import { decode } from '../../msgpack/decode.ts';
import { compareTexts } from '../../schema/collations.ts';
import type { IndexDefinition, IndexPart } from '../../schema/space-definition.ts';
import type { Arena } from './arena.ts';
import { kindOf } from './kind-of.ts';
import { hashOfRun, hashRaw, mixed } from './raw-hash.ts';
import {
  compareRaw,
  doubleAt,
  firstField,
  integerAt,
  isNil,
  type Kind,
  kinds,
  locateField,
  MISSING,
  runLength,
  runStart,
} from './raw-values.ts';

/** One more than the largest number that the leading bytes make. */
const LEADING_SPAN = 2 ** 53;
const INTEGER_SPAN = 2 ** 32;

export class KeyOrder {
  /** Parts of the index itself, before those of the primary key. */
  readonly ownParts: number;
  /** Prefixes of what is looked for are from here … */
  low = 0;
  /** … to here. */
  high = 0;
  readonly #arena: Arena;
  readonly #parts: readonly IndexPart[];
  readonly #fields: Int32Array;
  readonly #kinds: Uint8Array;
  readonly #combines: boolean;
  /** Is the index one text or binary? Most primary keys are. */
  readonly #isOneRun: boolean;
  #probe: Uint8Array = new Uint8Array(0);
  readonly #probeAt: Int32Array;
  #probeParts = 0;

  constructor(arena: Arena, index: IndexDefinition, primary: IndexDefinition) {
    this.#arena = arena;
    const own = new Set(index.parts.map((part) => part.field));
    const rest = index.id === 0 ? [] : primary.parts.filter((part) => !own.has(part.field));
    this.#parts = [...index.parts, ...rest];
    this.ownParts = index.parts.length;
    this.#fields = Int32Array.from(this.#parts, (part) => part.field);
    this.#kinds = Uint8Array.from(this.#parts, kindOf);
    const first = this.#kinds[0];
    this.#combines = this.#parts.length > 1 && (first === kinds.integer || first === kinds.boolean);
    this.#probeAt = new Int32Array(this.#parts.length);
    this.#isOneRun = this.ownParts === 1 && first === kinds.bytes;
  }

  /** Looks for the place of a tuple whose fields begin at `positions`. */
  probeTuple(bytes: Uint8Array, positions: Int32Array): void {
    this.#probe = bytes;
    this.#probeParts = this.#fields.length;
    for (let i = 0; i < this.#probeParts; i++) {
      this.#probeAt[i] = positions[this.#fields[i] as number] as number;
    }
    this.low = this.#prefix(bytes, this.#probeAt[0] as number, this.#second());
    this.high = this.low;
  }

  /** The same for a tuple that is stored. */
  probeHandle(handle: number): void {
    const bytes = this.#arena.chunkOf(handle);
    const at = this.#arena.startOf(handle);
    this.#probe = bytes;
    this.#probeParts = this.#fields.length;
    for (let i = 0; i < this.#probeParts; i++) {
      this.#probeAt[i] = locateField(bytes, at, this.#fields[i] as number);
    }
    this.low = this.#prefix(bytes, this.#probeAt[0] as number, this.#second());
    this.high = this.low;
  }

  /** Looks for all tuples that begin with a key of `count` parts, as an array in MessagePack. */
  probeKey(bytes: Uint8Array, keyAt: number, count: number): void {
    this.probeEqual(bytes, keyAt, count);
    this.#setRange();
  }

  /** The same for a search by hash, which needs no range. */
  probeEqual(bytes: Uint8Array, keyAt: number, count: number): void {
    this.#probe = bytes;
    this.#probeParts = count;
    let position = count === 0 ? 0 : firstField(bytes, keyAt);
    for (let i = 0; i < count; i++) {
      this.#probeAt[i] = position;
      if (i + 1 < count) position = locateField(bytes, keyAt, i + 1);
    }
  }

  /** The same tuple as probed last, by the parts of the index alone: for finding duplicates. */
  narrowToOwnParts(): void {
    this.#probeParts = this.ownParts;
    this.#setRange();
  }

  /** Is any part of the index nil in what is looked for? */
  hasNil(): boolean {
    for (let i = 0; i < this.ownParts; i++) {
      if (isNil(this.#probe, this.#probeAt[i] as number)) return true;
    }
    return false;
  }

  /** Must the tuple that is looked for be left out of the index? */
  isExcluded(): boolean {
    for (let i = 0; i < this.ownParts; i++) {
      const isLeftOut = (this.#parts[i] as IndexPart).excludeNull === true;
      if (isLeftOut && isNil(this.#probe, this.#probeAt[i] as number)) return true;
    }
    return false;
  }

  /** Negative, zero or positive as a stored tuple is before, equal to or behind what is looked for. */
  compare(handle: number): number {
    const bytes = this.#arena.chunkOf(handle);
    const at = this.#arena.startOf(handle);
    for (let i = 0; i < this.#probeParts; i++) {
      const position = locateField(bytes, at, this.#fields[i] as number);
      const side = this.#comparePart(i, bytes, position);
      if (side !== 0) return side;
    }
    return 0;
  }

  /** Is a stored tuple what is looked for? */
  equals(handle: number): boolean {
    if (!this.#isOneRun) return this.compare(handle) === 0;
    const bytes = this.#arena.chunkOf(handle);
    const at = locateField(bytes, this.#arena.startOf(handle), this.#fields[0] as number);
    const probe = this.#probe;
    const probeAt = this.#probeAt[0] as number;
    const head = bytes[at] as number;
    if (head !== probe[probeAt] || (head & 0xe0) !== 0xa0) return this.compare(handle) === 0;
    const end = at + (head & 0x1f);
    for (let i = at + 1, j = probeAt + 1; i <= end; i++, j++) {
      if (bytes[i] !== probe[j]) return false;
    }
    return true;
  }

  /** Hash of the own parts of what is looked for. */
  hashOfProbe(): number {
    if (this.#isOneRun) return hashOfRun(this.#probe, this.#probeAt[0] as number);
    let hash = 0;
    for (let i = 0; i < this.ownParts; i++) {
      hash = hashRaw(this.#kinds[i] as Kind, this.#probe, this.#probeAt[i] as number, hash);
    }
    return mixed(hash);
  }

  /** The same of a stored tuple. */
  hashOf(handle: number): number {
    const bytes = this.#arena.chunkOf(handle);
    const at = this.#arena.startOf(handle);
    let hash = 0;
    for (let i = 0; i < this.ownParts; i++) {
      const position = locateField(bytes, at, this.#fields[i] as number);
      hash = hashRaw(this.#kinds[i] as Kind, bytes, position, hash);
    }
    return mixed(hash);
  }

  prefixOf(handle: number): number {
    const bytes = this.#arena.chunkOf(handle);
    const at = this.#arena.startOf(handle);
    const first = locateField(bytes, at, this.#fields[0] as number);
    const second = this.#combines ? locateField(bytes, at, this.#fields[1] as number) : MISSING;
    return this.#prefix(bytes, first, second);
  }

  #second(): number {
    return this.#combines ? (this.#probeAt[1] as number) : MISSING;
  }

  #setRange(): void {
    if (this.#probeParts === 0) {
      this.low = Number.NEGATIVE_INFINITY;
      this.high = Number.POSITIVE_INFINITY;
      return;
    }
    const first = this.#probeAt[0] as number;
    const isWhole = !this.#combines || this.#probeParts > 1;
    this.low = this.#prefix(this.#probe, first, isWhole ? this.#second() : MISSING);
    this.high = isWhole || isNil(this.#probe, first) ? this.low : this.low + 1;
  }

  #comparePart(i: number, bytes: Uint8Array, position: number): number {
    const probeAt = this.#probeAt[i] as number;
    const isLeftNil = isNil(bytes, position);
    const isRightNil = isNil(this.#probe, probeAt);
    if (isLeftNil || isRightNil) return Number(isRightNil) - Number(isLeftNil);
    const kind = this.#kinds[i] as Kind;
    if (kind !== kinds.collated) return compareRaw(kind, bytes, position, this.#probe, probeAt);
    const collation = (this.#parts[i] as IndexPart).collation ?? 'binary';
    const left = decode(bytes, position) as string;
    return compareTexts(left, decode(this.#probe, probeAt) as string, collation);
  }

  #prefix(bytes: Uint8Array, first: number, second: number): number {
    if (isNil(bytes, first)) return Number.NEGATIVE_INFINITY;
    const kind = this.#kinds[0] as Kind;
    if (kind === kinds.bytes)
      return leadingBytes(bytes, runStart(bytes, first), runLength(bytes, first));
    if (kind !== kinds.integer && kind !== kinds.boolean) return otherPrefix(kind, bytes, first);
    const value = kind === kinds.integer ? integerAt(bytes, first) : (bytes[first] as number);
    return second === MISSING ? value : value + this.#fraction(bytes, second);
  }

  /** The beginning of the second part as a number from 0 to 1. */
  #fraction(bytes: Uint8Array, at: number): number {
    if (isNil(bytes, at)) return 0;
    switch (this.#kinds[1]) {
      case kinds.bytes:
        return leadingBytes(bytes, runStart(bytes, at), runLength(bytes, at)) / LEADING_SPAN;
      case kinds.uuid:
        return leadingBytes(bytes, at + 2, 16) / LEADING_SPAN;
      case kinds.integer: {
        const value = integerAt(bytes, at);
        if (value <= 0) return 0;
        return value < INTEGER_SPAN ? value / INTEGER_SPAN : 1;
      }
      default:
        return 0;
    }
  }
}

function otherPrefix(kind: Kind, bytes: Uint8Array, at: number): number {
  switch (kind) {
    case kinds.number:
      return doubleAt(bytes, at);
    case kinds.uuid:
      return leadingBytes(bytes, at + 2, 16);
    default:
      // Nothing cheap keeps these orders: all prefixes are equal.
      return 0;
  }
}

/** The first 53 bits as an integer. */
function leadingBytes(bytes: Uint8Array, start: number, length: number): number {
  if (length < 7) return paddedBytes(bytes, start, length);
  const high =
    ((bytes[start] as number) << 16) |
    ((bytes[start + 1] as number) << 8) |
    (bytes[start + 2] as number);
  const low =
    ((bytes[start + 3] as number) << 21) |
    ((bytes[start + 4] as number) << 13) |
    ((bytes[start + 5] as number) << 5) |
    ((bytes[start + 6] as number) >>> 3);
  return high * 0x2000_0000 + low;
}

/** As if it were followed by zeros. */
function paddedBytes(bytes: Uint8Array, start: number, length: number): number {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (i < length ? (bytes[start + i] as number) : 0);
  return value * 32;
}
