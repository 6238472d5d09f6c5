import { ClusterError } from '../errors.ts';
import type { SpaceDefinition } from '../schema/space-definition.ts';
import { storable, type Tuple, type Value } from '../schema/values.ts';
import type { UpdateOperation } from './engine.ts';

/** The tuple after all operations, one after another; not yet checked against the format. */
export function updated(
  space: SpaceDefinition,
  tuple: Tuple,
  operations: readonly UpdateOperation[],
): readonly Value[] {
  const next = [...tuple];
  for (const [operator, field, value] of operations) {
    const index = fieldIndex(space, field, next.length);
    const name = space.format[index]?.name ?? `[${index}]`;
    while (next.length < index) next.push(null);
    next[index] =
      operator === '='
        ? storable(value, name)
        : sum(name, next[index] ?? null, signed(operator, storable(value, name)));
  }
  return next;
}

function fieldIndex(space: SpaceDefinition, field: string | number, length: number): number {
  const index =
    typeof field === 'number' ? field : space.format.findIndex((format) => format.name === field);
  const limit = Math.max(length, space.format.length - 1);
  if (Number.isInteger(index) && index >= 0 && index <= limit) return index;
  throw new ClusterError('TUPLE_INVALID', {
    field: String(field),
    message: `Space "${space.name}" has no field "${field}" that could be updated.`,
  });
}

function signed(operator: '+' | '-', value: Value): Value {
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  return operator === '-' && isNumber ? -value : value;
}

function sum(field: string, left: Value, right: Value): Value {
  if (!isNumeric(left) || !isNumeric(right)) {
    throw new ClusterError('TUPLE_INVALID', {
      field,
      message: `Field "${field}" and what is added to it must both be numbers.`,
    });
  }
  if (isWhole(left) && isWhole(right)) return storable(BigInt(left) + BigInt(right), field);
  return storable(Number(left) + Number(right), field);
}

function isNumeric(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}
