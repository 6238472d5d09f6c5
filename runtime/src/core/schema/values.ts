/**
 * What a field of a row can hold, and the one order of all values.
 *
 * The order is Tarantool's: nil, then booleans, numbers of every kind by what they are worth, texts (by their UTF-8
 * bytes, or a collation), binaries, points in time. A UUID is kept as lower-case text, whose order is that of its
 * bytes. Stored values are private frozen copies, so that no caller can change a row behind its indexes.
 */
import { ClusterError } from '../errors.ts';
import { Extension } from '../msgpack/extension.ts';
import { type Collation, compareTexts } from './collations.ts';
import { DateTime } from './datetime.ts';
import { Decimal } from './decimal.ts';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Decimal
  | DateTime
  | Extension
  | readonly Value[]
  | { readonly [key: string]: Value };

export type Tuple = readonly Value[];

/** Any number: they compare by what they are worth, and NaN is before all others. */
export type Numeric = number | bigint | Decimal;

export function isNumeric(value: Value): value is Numeric {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal;
}

/** Negative, zero or positive as `a` is before, equal to or after `b`. Arrays and maps have no order. */
export function compareValues(a: Value, b: Value, collation?: Collation): number {
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b, collation);
  const classes = orderClass(a) - orderClass(b);
  if (classes !== 0) return classes;
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  return compareOthers(a, b);
}

/** Of two values of one class. */
function compareOthers(a: Value, b: Value): number {
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return a instanceof DateTime && b instanceof DateTime ? a.compare(b) : 0;
}

export function compareNumbers(a: Numeric, b: Numeric): number {
  // NaN is all that is not equal to itself.
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  if (a instanceof Decimal) return a.compare(b);
  if (b instanceof Decimal) return -b.compare(a);
  // JavaScript compares bigints with numbers by what they are worth.
  return a < b ? -1 : Number(a > b);
}

function orderClass(value: Value): number {
  if (value === null) return 0;
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'number':
    case 'bigint':
      return 2;
    case 'string':
      return 3;
    default:
      if (value instanceof Decimal) return 2;
      if (value instanceof Uint8Array) return 4;
      return value instanceof DateTime ? 5 : 6;
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A private frozen copy; integers are numbers where these are exact. Refuses what the log could not give back. */
export function storable(value: unknown, field: string): Value {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      // The log has one zero: minus zero would come back as another value than was stored.
      return value === 0 ? 0 : value;
    case 'bigint':
      return storableInteger(value, field);
    case 'string':
      if (!/\p{Surrogate}/u.test(value)) return value;
      throw new ClusterError('TUPLE_INVALID', {
        field,
        message: `Field "${field}" has half of a surrogate pair, which UTF-8 cannot hold.`,
      });
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : storableObject(value, field);
    default:
      throw notStorable(value, field);
  }
}

const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 64n - 1n;

function storableInteger(value: bigint, field: string): Value {
  if (value < LEAST || value > GREATEST) {
    throw new ClusterError('TUPLE_INVALID', {
      field,
      message: `Field "${field}" is ${value.toString()}, outside of -2^63 to 2^64-1.`,
    });
  }
  const exact = Number(value);
  return Number.isSafeInteger(exact) ? exact : value;
}

function storableObject(value: object, field: string): Value {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (value instanceof Decimal || value instanceof DateTime) return value;
  if (value instanceof Extension) return new Extension(value.type, Uint8Array.from(value.bytes));
  if (Array.isArray(value)) {
    return Object.freeze(value.map((item, index) => storable(item, `${field}[${index}]`)));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notStorable(value, field);
  const copy: Record<string, Value> = {};
  for (const [key, item] of Object.entries(value)) {
    // Assigning it would change the prototype instead of adding a key.
    if (key === '__proto__') throw notStorable(value, `${field}.__proto__`);
    copy[storable(key, field) as string] = storable(item, `${field}.${key}`);
  }
  return Object.freeze(copy);
}

function notStorable(value: unknown, field: string): ClusterError {
  const what = typeof value === 'object' ? (value?.constructor.name ?? 'object') : typeof value;
  return new ClusterError('TUPLE_INVALID', {
    field,
    message:
      `Field "${field}" holds a ${what}; a row holds nil, booleans, numbers, texts, ` +
      'binaries, Decimal, DateTime, arrays and maps with text keys.',
  });
}
