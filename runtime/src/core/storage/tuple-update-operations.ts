/**
 * Operations of an update as they come over the wire, read and checked before any of them is done.
 *
 * What is wrong with an operation as such is an error even for an upsert; only what does not fit the tuple that is
 * there is left out.
 */
import { ClusterError } from '../errors.ts';
import { type ErrorNumber, errorNumber } from '../iproto/error-numbers.ts';
import { decode } from '../msgpack/decode.ts';
import { extensionType } from '../msgpack/extension.ts';
import { skip } from '../msgpack/skip.ts';

/** An array of operations within bytes that are known to be valid MessagePack. */
export interface EncodedOperations {
  readonly bytes: Uint8Array;
  readonly at: number;
  /** What the number of the first field is in them: 0 or 1. */
  readonly indexBase: number;
}

export type FieldNumberOf = (name: string) => number | undefined;

export const operators = {
  assign: 0x3d,
  add: 0x2b,
  subtract: 0x2d,
  and: 0x26,
  or: 0x7c,
  xor: 0x5e,
  splice: 0x3a,
  insert: 0x21,
  remove: 0x23,
} as const;

export interface RawOperation {
  readonly operator: number;
  /** From 0; negative from the end. */
  readonly field: number;
  readonly valueAt: number;
  readonly valueEnd: number;
  /** Of a splice: what is between field and value. Of a removal: how many fields. */
  readonly count: number;
  readonly offset: number;
}

const MOST_OPERATIONS = 4000;
const INT32 = 0x7fff_ffff;

export function readOperations(
  operations: EncodedOperations,
  fieldNumberOf: FieldNumberOf,
): readonly RawOperation[] {
  const { bytes, indexBase } = operations;
  let at = arrayStart(bytes, operations.at);
  if (at < 0) throw invalid('ILLEGAL_PARAMS', 'The operations of an update must be an array.');
  const count = arrayLength(bytes, operations.at);
  if (count > MOST_OPERATIONS) {
    throw invalid('ILLEGAL_PARAMS', `An update has at most ${MOST_OPERATIONS} operations.`);
  }
  const read: RawOperation[] = [];
  for (let index = 0; index < count; index++) {
    read.push(readOperation(bytes, at, indexBase, fieldNumberOf));
    at = skip(bytes, at);
  }
  return read;
}

function readOperation(
  bytes: Uint8Array,
  start: number,
  indexBase: number,
  fieldNumberOf: FieldNumberOf,
): RawOperation {
  const operatorAt = arrayStart(bytes, start);
  const count = operatorAt < 0 ? 0 : arrayLength(bytes, start);
  if (count === 0) {
    throw invalid('ILLEGAL_PARAMS', 'An operation must be an array of operator, field and value.');
  }
  const operator = operatorOf(bytes, operatorAt);
  const wanted = operator === operators.splice ? 5 : 3;
  if (count !== wanted) {
    throw invalid(
      'UNKNOWN_UPDATE_OP',
      `"${String.fromCharCode(operator)}" has ${wanted} parts, not ${count}.`,
    );
  }
  const fieldAt = skip(bytes, operatorAt);
  const field = fieldOf(bytes, fieldAt, indexBase, fieldNumberOf);
  const first = skip(bytes, fieldAt);
  return operator === operators.splice
    ? readSplice(bytes, first, field, indexBase)
    : readValue(bytes, first, field, operator);
}

function readSplice(
  bytes: Uint8Array,
  offsetAt: number,
  field: number,
  indexBase: number,
): RawOperation {
  const operator = operators.splice;
  const countAt = skip(bytes, offsetAt);
  const valueAt = skip(bytes, countAt);
  const offset = int32(bytes, offsetAt);
  const count = int32(bytes, countAt);
  if (offset === undefined || count === undefined) throw wrongArgument(operator, 'an integer');
  if (!isText(bytes[valueAt] as number)) throw wrongArgument(operator, 'a string');
  if (offset >= 0 && offset < indexBase) throw outOfBound();
  const valueEnd = skip(bytes, valueAt);
  const fromZero = offset >= 0 ? offset - indexBase : offset;
  return { operator, field, valueAt, valueEnd, count, offset: fromZero };
}

function readValue(
  bytes: Uint8Array,
  valueAt: number,
  field: number,
  operator: number,
): RawOperation {
  let count = 0;
  switch (operator) {
    case operators.add:
    case operators.subtract:
      if (!isNumber(bytes, valueAt)) throw wrongArgument(operator, 'a number');
      break;
    case operators.and:
    case operators.or:
    case operators.xor:
      if (!isUnsigned(bytes[valueAt] as number))
        throw wrongArgument(operator, 'a positive integer');
      break;
    case operators.remove:
      count = removalCount(bytes, valueAt);
      break;
    default:
  }
  return { operator, field, valueAt, valueEnd: skip(bytes, valueAt), count, offset: 0 };
}

function removalCount(bytes: Uint8Array, at: number): number {
  const count = isUnsigned(bytes[at] as number) ? Number(decode(bytes, at)) : -1;
  if (count < 0) throw wrongArgument(operators.remove, 'a number of fields');
  if (count === 0)
    throw invalid('UPDATE_FIELD', 'An operation "#" must take out a field at least.');
  return count;
}

function operatorOf(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (!isText(first)) throw invalid('ILLEGAL_PARAMS', 'The operator of an update must be a text.');
  const code = first === 0xa1 ? (bytes[at + 1] as number) : 0;
  if (isOperator(code)) return code;
  const text = decode(bytes, at) as string;
  throw invalid('UNKNOWN_UPDATE_OP', `There is no operator "${text.slice(0, 20)}".`);
}

function isOperator(code: number): boolean {
  switch (code) {
    case operators.assign:
    case operators.add:
    case operators.subtract:
    case operators.and:
    case operators.or:
    case operators.xor:
    case operators.splice:
    case operators.insert:
    case operators.remove:
      return true;
    default:
      return false;
  }
}

function fieldOf(
  bytes: Uint8Array,
  at: number,
  indexBase: number,
  fieldNumberOf: FieldNumberOf,
): number {
  const first = bytes[at] as number;
  if (first < 0x80 && first >= indexBase) return first - indexBase;
  if (isText(first)) {
    const name = decode(bytes, at) as string;
    const field = fieldNumberOf(name);
    if (field !== undefined) return field;
    throw invalid('NO_SUCH_FIELD_NAME', `There is no field "${name}" that could be updated.`, name);
  }
  if (!isInteger(first)) {
    throw invalid('ILLEGAL_PARAMS', 'The field of an update must be a name or a number.');
  }
  const number = int32(bytes, at);
  if (number === undefined) {
    throw invalid('UPDATE_ARG_TYPE', 'The number of a field must be an integer of 32 bits.');
  }
  if (number < 0) return number;
  if (number < indexBase) throw noSuchField(number);
  return number - indexBase;
}

/** Undefined for what is no integer of 32 bits. */
function int32(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at] as number;
  if (!isInteger(first)) return undefined;
  const value = Number(decode(bytes, at));
  return value >= -INT32 - 1 && value <= INT32 ? value : undefined;
}

function isUnsigned(first: number): boolean {
  return first < 0x80 || (first >= 0xcc && first <= 0xcf);
}

export function isInteger(first: number): boolean {
  return first < 0x80 || first >= 0xe0 || (first >= 0xcc && first <= 0xd3);
}

export function isText(first: number): boolean {
  return (first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb);
}

export function isNumber(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] as number;
  return isInteger(first) || first === 0xca || first === 0xcb || isDecimal(bytes, at);
}

export function isDecimal(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] as number;
  if (first === 0xc7) return bytes[at + 2] === extensionType.decimal;
  return first >= 0xd4 && first <= 0xd8 && bytes[at + 1] === extensionType.decimal;
}

/** -1 where there is no array. */
export function arrayStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first >= 0x90 && first < 0xa0) return at + 1;
  if (first === 0xdc) return at + 3;
  return first === 0xdd ? at + 5 : -1;
}

export function arrayLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0xa0) return first & 0x0f;
  let length = 0;
  for (let index = at + 1; index < arrayStart(bytes, at); index++) {
    length = length * 0x100 + (bytes[index] as number);
  }
  return length;
}

/** An error that depends on the tuple: an upsert leaves the operation out. */
export function invalid(
  protocol: keyof typeof errorNumber,
  message: string,
  field?: string,
): ClusterError {
  const protocolNumber: ErrorNumber = errorNumber[protocol];
  return new ClusterError('TUPLE_INVALID', {
    message,
    protocolNumber,
    ...(field === undefined ? {} : { field }),
  });
}

export function wrongArgument(operator: number, wanted: string): ClusterError {
  const name = String.fromCharCode(operator);
  return invalid(
    'UPDATE_ARG_TYPE',
    `Field and value of the operation "${name}" must be ${wanted}.`,
  );
}

export function noSuchField(field: number): ClusterError {
  return invalid('NO_SUCH_FIELD_NO', `The tuple has no field ${field} that could be updated.`);
}

export function outOfBound(): ClusterError {
  return invalid('SPLICE', 'The offset of the operation ":" is outside of the text.');
}
