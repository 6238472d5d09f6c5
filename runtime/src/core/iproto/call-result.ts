/** What a called function gave, as CALL and as the older CALL_16 tell it. */
import { storable, type Value } from '../schema/values.ts';

/** Given by functions that return several values, as those of Tarantool do: a result and an error, say. */
export class ReturnedValues {
  readonly values: readonly unknown[];

  constructor(...values: readonly unknown[]) {
    this.values = values;
  }
}

/** CALL: the list of returned values. Throws where something is no value. */
export function callResult(result: unknown): readonly Value[] {
  if (result instanceof ReturnedValues) return result.values.map((value) => toValue(value));
  return result === undefined ? [] : [toValue(result)];
}

/** CALL_16: a list of tuples; what is none becomes one. */
export function call16Result(result: unknown): readonly Value[] {
  const values = callResult(result);
  if (values.length === 1 && isListOfTuples(values[0])) return values[0];
  return values.map((value) => (isList(value) ? value : [value]));
}

function toValue(value: unknown): Value {
  return storable(value, 'result');
}

function isListOfTuples(value: Value | undefined): value is readonly Value[] {
  return isList(value) && value.length > 0 && value.every(isList);
}

function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}
