/**
 * What counting, operations on bits and splices make of a field, from bytes to bytes.
 *
 * As in Tarantool: two integers give an integer of 64 bits or an overflow; a decimal makes the result a decimal; else
 * it is floating point, in four bytes where these are exact.
 */
import { MsgpackReader } from '../msgpack/decode.ts';
import type { MsgpackWriter } from '../msgpack/encode.ts';
import { skip } from '../msgpack/skip.ts';
import { Decimal } from '../schema/decimal.ts';
import {
  invalid,
  isDecimal,
  isInteger,
  isNumber,
  isText,
  operators,
  outOfBound,
  type RawOperation,
  wrongArgument,
} from './tuple-update-operations.ts';

const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 64n - 1n;

/** Writes the field at `at` after an operation that is neither `=`, `!` nor `#`. */
export function writeChanged(
  operation: RawOperation,
  from: { readonly bytes: Uint8Array; readonly at: number },
  operations: Uint8Array,
  writer: MsgpackWriter,
): void {
  switch (operation.operator) {
    case operators.add:
    case operators.subtract:
      return new Sum(operation, operations).write(from.bytes, from.at, writer);
    case operators.splice:
      return splice(operation, from.bytes, from.at, { bytes: operations, writer });
    default:
      return bits(operation, from.bytes, from.at, { bytes: operations, writer });
  }
}

class Sum {
  readonly #operation: RawOperation;
  readonly #operations: Uint8Array;

  constructor(operation: RawOperation, operations: Uint8Array) {
    this.#operation = operation;
    this.#operations = operations;
  }

  write(bytes: Uint8Array, at: number, writer: MsgpackWriter): void {
    const { operator, valueAt } = this.#operation;
    if (!isNumber(bytes, at)) throw wrongArgument(operator, 'a number');
    if (isInteger(bytes[at] as number) && isInteger(this.#operations[valueAt] as number)) {
      return this.#integer(bytes, at, writer);
    }
    if (isDecimal(bytes, at) || isDecimal(this.#operations, valueAt)) {
      return this.#decimal(bytes, at, writer);
    }
    const a = Number(valueOf(bytes, at));
    const b = Number(valueOf(this.#operations, valueAt));
    const sum = operator === operators.add ? a + b : a - b;
    if (Math.fround(sum) === sum) writer.float(sum);
    else writer.double(sum);
  }

  #integer(bytes: Uint8Array, at: number, writer: MsgpackWriter): void {
    const { operator, valueAt } = this.#operation;
    const a = valueOf(bytes, at) as number | bigint;
    const b = valueOf(this.#operations, valueAt) as number | bigint;
    if (typeof a === 'number' && typeof b === 'number') {
      const sum = operator === operators.add ? a + b : a - b;
      if (Number.isSafeInteger(sum)) return writer.integer(sum);
    }
    const sum = operator === operators.add ? BigInt(a) + BigInt(b) : BigInt(a) - BigInt(b);
    if (sum >= LEAST && sum <= GREATEST) return writer.value(sum);
    throw invalid(
      'UPDATE_INTEGER_OVERFLOW',
      `The operation "${String.fromCharCode(operator)}" gives ${sum.toString()}, which is beyond 64 bits.`,
    );
  }

  #decimal(bytes: Uint8Array, at: number, writer: MsgpackWriter): void {
    const { operator, valueAt } = this.#operation;
    const a = asDecimal(valueOf(bytes, at));
    const b = asDecimal(valueOf(this.#operations, valueAt));
    if (a === undefined || b === undefined) {
      throw wrongArgument(operator, 'numbers that are decimals of at most 38 digits');
    }
    const sum = a.plus(operator === operators.add ? b : b.negated());
    if (sum !== undefined) return writer.value(sum);
    throw invalid(
      'UPDATE_DECIMAL_OVERFLOW',
      `The operation "${String.fromCharCode(operator)}" gives a decimal of more than 38 digits.`,
    );
  }
}

function valueOf(bytes: Uint8Array, at: number): unknown {
  const first = bytes[at] as number;
  if (first < 0x80) return first;
  return new MsgpackReader(bytes, at).value();
}

function asDecimal(value: unknown): Decimal | undefined {
  if (value instanceof Decimal) return value;
  return typeof value === 'bigint' ? Decimal.of(value) : Decimal.fromNumber(value as number);
}

interface Target {
  /** Those of the operations. */
  readonly bytes: Uint8Array;
  readonly writer: MsgpackWriter;
}

function bits(operation: RawOperation, bytes: Uint8Array, at: number, target: Target): void {
  const { operator, valueAt } = operation;
  const first = bytes[at] as number;
  if (first >= 0x80 && (first < 0xcc || first > 0xcf)) {
    throw wrongArgument(operator, 'positive integers');
  }
  const a = BigInt(valueOf(bytes, at) as number | bigint);
  const b = BigInt(valueOf(target.bytes, valueAt) as number | bigint);
  if (operator === operators.and) target.writer.value(a & b);
  else target.writer.value(operator === operators.or ? a | b : a ^ b);
}

/** Counts bytes: a splice can leave halves of a character. */
function splice(operation: RawOperation, bytes: Uint8Array, at: number, target: Target): void {
  if (!isText(bytes[at] as number)) throw wrongArgument(operation.operator, 'a string');
  const start = textStart(bytes, at);
  const length = skip(bytes, at) - start;
  const { offset, count } = spliceRange(operation, length);
  const pasted = textStart(target.bytes, operation.valueAt);
  const pastedLength = operation.valueEnd - pasted;
  const { writer } = target;
  writer.textHeader(length - count + pastedLength);
  writer.raw(bytes, start, start + offset);
  writer.raw(target.bytes, pasted, operation.valueEnd);
  writer.raw(bytes, start + offset + count, start + length);
}

/** What is cut out of a text of so many bytes. */
export function spliceRange(
  wanted: { readonly offset: number; readonly count: number },
  length: number,
): { readonly offset: number; readonly count: number } {
  // -1 is behind the last.
  const offset = wanted.offset < 0 ? wanted.offset + length + 1 : Math.min(wanted.offset, length);
  if (offset < 0) throw outOfBound();
  const rest = length - offset;
  const count = wanted.count < 0 ? Math.max(0, rest + wanted.count) : Math.min(wanted.count, rest);
  return { offset, count };
}

function textStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0xc0) return at + 1;
  if (first === 0xd9) return at + 2;
  return first === 0xda ? at + 3 : at + 5;
}
