/**
 * Updates of a tuple as values: the oracle for those of bytes, by the same rules, except that one update may count on
 * a field more than once.
 *
 * JavaScript has one kind of number: where a whole number came from a sum of fractions, the bytes know it as floating
 * point, and here it is an integer.
 */
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import { Decimal } from '../schema/decimal.ts';
import type { SpaceDefinition } from '../schema/space-definition.ts';
import { isNumeric, type Numeric, storable, type Tuple, type Value } from '../schema/values.ts';
import type { FieldRef, UpdateOperation } from './engine.ts';
import { spliceRange } from './tuple-update-values.ts';

/** The tuple after all operations, one after another; not yet checked against the format. */
export function updated(
  space: SpaceDefinition,
  tuple: Tuple,
  operations: readonly UpdateOperation[],
): readonly Value[] {
  return new ValueUpdate(space, tuple).run(operations, false);
}

/** As `updated`, but what cannot be done on this tuple is left out. */
export function upserted(
  space: SpaceDefinition,
  tuple: Tuple,
  operations: readonly UpdateOperation[],
): readonly Value[] {
  return new ValueUpdate(space, tuple).run(operations, true);
}

/** What is wrong with operations whatever the tuple is. */
export function checkUpdate(space: SpaceDefinition, operations: readonly UpdateOperation[]): void {
  for (const operation of operations) {
    const [operator, ref] = operation;
    const name = fieldName(space, ref);
    if (typeof ref === 'string' && !space.format.some((field) => field.name === ref)) {
      throw noSuchField(space, ref, 'NO_SUCH_FIELD_NAME');
    }
    if (!isRightArgument(operation, name)) throw wrongType(operator, name);
    if (operator === '#' && operation[2] === 0) throw refused(name, 'UPDATE_FIELD', 'takes out 0');
  }
}

function isRightArgument(operation: UpdateOperation, name: string): boolean {
  if (operation[0] === ':') {
    const [, , start, length, text] = operation;
    return Number.isInteger(start) && Number.isInteger(length) && typeof text === 'string';
  }
  const [operator, , given] = operation;
  const value = storable(given, name);
  switch (operator) {
    case '+':
    case '-':
      return isNumeric(value);
    case '&':
    case '|':
    case '^':
    case '#':
      return isUnsigned(value);
    default:
      return true;
  }
}

class ValueUpdate {
  readonly #space: SpaceDefinition;
  readonly #fields: Value[];

  constructor(space: SpaceDefinition, tuple: Tuple) {
    this.#space = space;
    this.#fields = [...tuple];
  }

  run(operations: readonly UpdateOperation[], isUpsert: boolean): readonly Value[] {
    checkUpdate(this.#space, operations);
    for (const operation of operations) {
      try {
        this.#perform(operation);
      } catch (error) {
        if (!isUpsert || !(error instanceof ClusterError)) throw error;
      }
    }
    return this.#fields;
  }

  #perform(operation: UpdateOperation): void {
    const [operator, ref, given] = operation;
    const name = fieldName(this.#space, ref);
    const fields = this.#fields;
    switch (operator) {
      case '=':
        return this.#assign(ref, storable(given, name));
      case '!':
        fields.splice(this.#place(ref, fields.length + 1), 0, storable(given, name));
        return;
      case '#':
        fields.splice(this.#place(ref, fields.length), Number(given));
        return;
      default: {
        const place = this.#place(ref, fields.length);
        fields[place] = changed(operation, fields[place] ?? null, name);
      }
    }
  }

  #assign(ref: FieldRef, value: Value): void {
    const fields = this.#fields;
    const number = this.#number(ref);
    if (number < fields.length) {
      fields[this.#place(ref, fields.length)] = value;
      return;
    }
    if (number > Math.max(fields.length, this.#space.format.length - 1)) {
      throw noSuchField(this.#space, ref, 'NO_SUCH_FIELD_NO');
    }
    while (fields.length < number) fields.push(null);
    fields.push(value);
  }

  #number(ref: FieldRef): number {
    if (typeof ref === 'number') return ref;
    return this.#space.format.findIndex((format) => format.name === ref);
  }

  #place(ref: FieldRef, size: number): number {
    const number = this.#number(ref);
    const place = number < 0 ? number + size : number;
    if (Number.isInteger(place) && place >= 0 && place < size) return place;
    throw noSuchField(this.#space, ref, 'NO_SUCH_FIELD_NO');
  }
}

function changed(operation: UpdateOperation, value: Value, name: string): Value {
  const [operator, , given] = operation;
  if (operation[0] === ':') {
    if (typeof value !== 'string') throw wrongType(operator, name);
    return spliced(value, operation[2], operation[3], operation[4]);
  }
  const argument = storable(given, name);
  if (operator === '+' || operator === '-') {
    if (!isNumeric(value) || !isNumeric(argument)) throw wrongType(operator, name);
    return sum(value, operator === '-' ? negated(argument) : argument, name);
  }
  if (!isUnsigned(value) || !isUnsigned(argument)) throw wrongType(operator, name);
  const [left, right] = [BigInt(value), BigInt(argument)];
  if (operator === '&') return storable(left & right, name);
  return storable(operator === '|' ? left | right : left ^ right, name);
}

function spliced(value: string, offset: number, count: number, text: string): string {
  const bytes = new TextEncoder().encode(value);
  const cut = spliceRange({ offset, count }, bytes.length);
  const before = bytes.subarray(0, cut.offset);
  const behind = bytes.subarray(cut.offset + cut.count);
  const whole = [...before, ...new TextEncoder().encode(text), ...behind];
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(whole));
}

function negated(value: Numeric): Numeric {
  return value instanceof Decimal ? value.negated() : -value;
}

function sum(left: Numeric, right: Numeric, name: string): Value {
  if (left instanceof Decimal || right instanceof Decimal) {
    const [a, b] = [asDecimal(left), asDecimal(right)];
    if (a === undefined || b === undefined) {
      throw refused(name, 'UPDATE_ARG_TYPE', 'or what is added is no decimal');
    }
    const total = a.plus(b);
    if (total !== undefined) return total;
    throw refused(name, 'UPDATE_DECIMAL_OVERFLOW', 'would have more than 38 digits');
  }
  if (!isWhole(left) || !isWhole(right)) return storable(Number(left) + Number(right), name);
  const total = BigInt(left) + BigInt(right);
  if (total >= -(2n ** 63n) && total < 2n ** 64n) return storable(total, name);
  throw refused(name, 'UPDATE_INTEGER_OVERFLOW', 'would be beyond 64 bits');
}

function asDecimal(value: Numeric): Decimal | undefined {
  if (value instanceof Decimal) return value;
  return typeof value === 'bigint' ? Decimal.of(value) : Decimal.fromNumber(value);
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

function isUnsigned(value: Value): value is number | bigint {
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value);
  return isInteger && (value as number | bigint) >= 0;
}

function fieldName(space: SpaceDefinition, ref: FieldRef): string {
  return typeof ref === 'string' ? ref : (space.format[ref]?.name ?? `[${ref}]`);
}

function wrongType(operator: string, name: string): ClusterError {
  const fits =
    operator === ':'
      ? 'texts'
      : operator === '+' || operator === '-'
        ? 'numbers'
        : 'unsigned integers';
  return new ClusterError('TUPLE_INVALID', {
    field: name,
    message: `Field "${name}" and the value of the operation "${operator}" on it must be ${fits}.`,
    protocolNumber: errorNumber.UPDATE_ARG_TYPE,
  });
}

function refused(name: string, protocol: keyof typeof errorNumber, why: string): ClusterError {
  return new ClusterError('TUPLE_INVALID', {
    field: name,
    message: `Field "${name}" cannot be updated: it ${why}.`,
    protocolNumber: errorNumber[protocol],
  });
}

function noSuchField(
  space: SpaceDefinition,
  ref: FieldRef,
  protocol: 'NO_SUCH_FIELD_NO' | 'NO_SUCH_FIELD_NAME',
): ClusterError {
  return new ClusterError('TUPLE_INVALID', {
    field: String(ref),
    message: `Space "${space.name}" has no field "${ref}" that could be updated.`,
    protocolNumber: errorNumber[protocol],
  });
}
