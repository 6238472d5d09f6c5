/** Types of fields: which values each admits, and which can be parts of an index. */
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import { Extension } from '../msgpack/extension.ts';
import type { Collation } from './collations.ts';
import { DateTime } from './datetime.ts';
import { Decimal } from './decimal.ts';
import { isNumeric, storable, type Value } from './values.ts';

export const fieldTypes = [
  'unsigned',
  'integer',
  'number',
  'double',
  'string',
  'boolean',
  'uuid',
  'varbinary',
  'decimal',
  'datetime',
  'scalar',
  'array',
  'map',
  'any',
] as const;
export type FieldType = (typeof fieldTypes)[number];

export interface FieldFormat {
  readonly name: string;
  readonly type: FieldType;
  readonly isNullable: boolean;
  /** What indexes over it order texts by, unless they say otherwise; absent: their bytes. */
  readonly collation?: Collation;
}

const TEXTUAL: readonly FieldType[] = ['string', 'scalar', 'any'];
const UNORDERED: readonly FieldType[] = ['array', 'map', 'any'];

export function isIndexable(type: FieldType): boolean {
  return !UNORDERED.includes(type);
}

/** Can it hold texts, which a collation orders? */
export function hasCollation(type: FieldType): boolean {
  return TEXTUAL.includes(type);
}

/** The value as it is stored, or `TUPLE_INVALID` naming the field. */
export function fieldValue(value: unknown, format: FieldFormat): Value {
  const stored = storable(value, format.name);
  if (stored === null) {
    if (format.isNullable || format.type === 'any') return null;
    throw wrongType(format, 'nil');
  }
  if (!admits(format.type, stored)) throw wrongType(format, describe(stored));
  return format.type === 'uuid' ? (stored as string).toLowerCase() : stored;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const admitted: Readonly<Record<FieldType, (value: Value) => boolean>> = {
  unsigned: (value) => isInteger(value) && (value as number | bigint) >= 0,
  integer: isInteger,
  number: isNumber,
  double: isNumber,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  uuid: (value) => typeof value === 'string' && UUID.test(value),
  varbinary: (value) => value instanceof Uint8Array,
  decimal: (value) => value instanceof Decimal,
  datetime: (value) => value instanceof DateTime,
  scalar: isScalar,
  array: (value) => Array.isArray(value),
  map: isMap,
  any: () => true,
};

function admits(type: FieldType, value: Value): boolean {
  return admitted[type](value);
}

/** A whole number beyond 2^53 is no integer here: it may already have lost digits. */
function isInteger(value: Value): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

/** NaN has no place in an order. */
function isNumber(value: Value): boolean {
  return isNumeric(value) && !Number.isNaN(value);
}

function isScalar(value: Value): boolean {
  if (typeof value !== 'object') return !Number.isNaN(value);
  return value instanceof Uint8Array || value instanceof Decimal || value instanceof DateTime;
}

function isMap(value: Value): boolean {
  const isObject = typeof value === 'object' && !Array.isArray(value);
  return isObject && !isScalar(value) && !(value instanceof Extension);
}

function describe(value: Value): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Uint8Array) return 'a binary';
  if (value instanceof Decimal) return `decimal ${value.toString()}`;
  if (value instanceof DateTime) return `datetime ${value.toString()}`;
  if (value instanceof Extension) return `an extension of type ${value.type}`;
  if (typeof value === 'object') return 'a map';
  return `${typeof value} ${String(value).slice(0, 60)}`;
}

function wrongType(format: FieldFormat, found: string): ClusterError {
  const wanted = format.isNullable ? `${format.type} or nil` : format.type;
  return new ClusterError('TUPLE_INVALID', {
    field: format.name,
    message: `Field "${format.name}" must be ${wanted}, not ${found}.`,
    protocolNumber: errorNumber.FIELD_TYPE,
  });
}
