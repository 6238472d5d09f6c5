/**
 * Keys of an index as bytes whose order is that of the index.
 *
 * Every part ends itself: a key of the first parts of an index is the beginning of the bytes of all full keys that
 * begin with it, and of no others. Nil comes first. Kinds of values that have no such bytes (mixed numbers, decimals,
 * times, scalars, collated texts) are refused when the index is created.
 */
import { ClusterError } from '../../errors.ts';
import { skip } from '../../msgpack/skip.ts';
import type { IndexDefinition, IndexPart } from '../../schema/space-definition.ts';
import { kindOf } from '../memory/kind-of.ts';
import {
  firstField,
  integerAt,
  isNil,
  type Kind,
  kinds,
  locateField,
  runLength,
  runStart,
} from '../memory/raw-values.ts';

const NIL = 0;
const LOW = 1;
const HIGH = 2;
const FIRST_CAPACITY = 256;
const WORD = 0x1_0000_0000;

export class IndexKeys {
  readonly definition: IndexDefinition;
  readonly #parts: readonly IndexPart[];
  readonly #kinds: readonly Kind[];
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  constructor(definition: IndexDefinition) {
    this.definition = definition;
    this.#parts = definition.parts;
    this.#kinds = definition.parts.map(kindOf);
  }

  /** The full key of a tuple. */
  ofTuple(bytes: Uint8Array, at: number): Uint8Array {
    this.#length = 0;
    this.#parts.forEach(({ field }, part) =>
      this.#part(part, bytes, locateField(bytes, at, field)),
    );
    return this.#bytes.slice(0, this.#length);
  }

  /** A key of `count` parts, as an array in MessagePack. */
  ofKey(bytes: Uint8Array, keyAt: number, count: number): Uint8Array {
    this.#length = 0;
    let at = count === 0 ? 0 : firstField(bytes, keyAt);
    for (let part = 0; part < count; part++) {
      this.#part(part, bytes, at);
      at = skip(bytes, at);
    }
    return this.#bytes.slice(0, this.#length);
  }

  /** Is a tuple left out of the index, for nil in it? */
  excludes(bytes: Uint8Array, at: number): boolean {
    return this.#parts.some(
      ({ field, excludeNull }) =>
        excludeNull === true && isNil(bytes, locateField(bytes, at, field)),
    );
  }

  /** Rows with nil are never the same in a unique index. */
  hasNil(bytes: Uint8Array, at: number): boolean {
    return this.#parts.some(
      ({ field, isNullable }) => isNullable && isNil(bytes, locateField(bytes, at, field)),
    );
  }

  #part(part: number, bytes: Uint8Array, at: number): void {
    if (isNil(bytes, at)) {
      this.#byte(NIL);
      return;
    }
    switch (this.#kinds[part]) {
      case kinds.integer:
        this.#integer(bytes, at);
        return;
      case kinds.boolean:
        this.#byte(bytes[at] === 0xc3 ? HIGH : LOW);
        return;
      case kinds.uuid:
        this.#byte(LOW);
        for (let i = 0; i < 16; i++) this.#byte(bytes[at + 2 + i] as number);
        return;
      default:
        this.#run(bytes, runStart(bytes, at), runLength(bytes, at));
    }
  }

  /** As 64 bits in two's complement, negative ones first. */
  #integer(bytes: Uint8Array, at: number): void {
    const value = integerAt(bytes, at);
    this.#byte(value < 0 ? LOW : HIGH);
    if (Number.isSafeInteger(value)) {
      const high = Math.floor(value / WORD);
      this.#word(high);
      this.#word(value - high * WORD);
      return;
    }
    for (let i = 1; i <= 8; i++) this.#byte(bytes[at + i] as number);
  }

  /** Zeros are followed by 255, and two of them end it. */
  #run(bytes: Uint8Array, start: number, length: number): void {
    this.#byte(LOW);
    for (let i = start; i < start + length; i++) {
      const byte = bytes[i] as number;
      this.#byte(byte);
      if (byte === 0) this.#byte(0xff);
    }
    this.#byte(0);
    this.#byte(0);
  }

  #word(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.#byte((value >>> shift) & 0xff);
  }

  #byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = value;
  }
}

const keptKinds: ReadonlySet<Kind> = new Set([
  kinds.integer,
  kinds.bytes,
  kinds.boolean,
  kinds.uuid,
]);

/** Refuses an index that the engine `disk` cannot keep in order. */
export function requireKeptOrder(
  space: { readonly name: string; readonly format: readonly { readonly name: string }[] },
  { name, parts }: IndexDefinition,
): void {
  const part = parts.find((each) => !keptKinds.has(kindOf(each)));
  if (part === undefined) return;
  const field = space.format[part.field]?.name ?? `[${part.field}]`;
  const collation = part.collation === undefined ? '' : ` with collation ${part.collation}`;
  throw new ClusterError('REQUEST_INVALID', {
    field: `${space.name}.${name}`,
    message:
      `Field "${field}" is of type ${part.type}${collation}, over which a space of engine "disk" ` +
      'has no indexes: those are of unsigned, integer, string with collation binary, varbinary, ' +
      'boolean and uuid. Leave the field out of the index, or keep the space in memory.',
  });
}

/** The first bytes that are behind all that begin with these; not all of these are 255. */
export function behindAll(bytes: Uint8Array): Uint8Array {
  let last = bytes.length - 1;
  while (bytes[last] === 0xff) last--;
  const behind = bytes.slice(0, last + 1);
  behind[last] = (behind[last] as number) + 1;
  return behind;
}

export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function joinKeys(...keys: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(keys.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const key of keys) {
    whole.set(key, at);
    at += key.length;
  }
  return whole;
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A key for a map of JavaScript. */
export function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
