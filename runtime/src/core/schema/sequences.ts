/** Sequences: definitions, their checks, and which value comes next. */
import { ClusterError } from '../errors.ts';

/** A number where it is exact, else a bigint; from -2^63 to 2^63-1. */
export type Integer = number | bigint;

export interface SequenceDefinition {
  readonly name: string;
  readonly start: Integer;
  readonly min: Integer;
  readonly max: Integer;
  readonly step: Integer;
  /** Does it begin anew after its last value? */
  readonly cycle: boolean;
}

/** Defaults: step 1 from 1 to 2^63-1; downward from -1 to -2^63; not in a circle. */
export type SequenceOptions = Partial<Omit<SequenceDefinition, 'name'>>;

const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 63n - 1n;

export function sequenceDefinition(name: string, options: SequenceOptions): SequenceDefinition {
  if (name === '') throw invalid('sequence.name', 'A sequence needs a name.');
  const step = integer(name, 'step', options.step ?? 1);
  const isUpward = step > 0n;
  const wanted = isUpward
    ? { min: 1, max: GREATEST, start: options.min ?? 1, ...options }
    : { min: LEAST, max: -1, start: options.max ?? -1, ...options };
  const min = integer(name, 'min', wanted.min);
  const max = integer(name, 'max', wanted.max);
  const start = integer(name, 'start', wanted.start);
  if (step === 0n) throw invalid(`${name}.step`, `Sequence "${name}" must have a step.`);
  if (min > max) {
    throw invalid(`${name}.max`, `Sequence "${name}" has its max below its min.`);
  }
  if (start < min || start > max) {
    throw invalid(`${name}.start`, `Sequence "${name}" must start between its min and its max.`);
  }
  return {
    name,
    start: narrow(start),
    min: narrow(min),
    max: narrow(max),
    step: narrow(step),
    cycle: options.cycle ?? false,
  };
}

/** `last` is undefined before the first. Undefined: there is no further one. */
export function nextValue(
  definition: SequenceDefinition,
  last: Integer | undefined,
): Integer | undefined {
  if (last === undefined) return definition.start;
  const { min, max } = definition;
  const step = BigInt(definition.step);
  // It may have been set to what is out of its range.
  if (step > 0n ? last < min : last > max) return step > 0n ? min : max;
  const next = BigInt(last) + step;
  if (next >= BigInt(min) && next <= BigInt(max)) return narrow(next);
  if (!definition.cycle) return undefined;
  return step > 0n ? min : max;
}

/** What the last value is after a row with `given` in its key: a sequence never falls behind its space. */
export function advanced(
  definition: SequenceDefinition,
  last: Integer | undefined,
  given: Integer,
): Integer | undefined {
  // The fields of a row reach further than a sequence.
  if (given > GREATEST) return last;
  if (last === undefined) return given;
  return (definition.step > 0 ? given > last : given < last) ? given : last;
}

/** A value that a sequence is set to. */
export function sequenceValue(name: string, value: unknown): Integer {
  return narrow(integer(name, 'value', value));
}

function integer(name: string, property: string, value: unknown): bigint {
  if (typeof value === 'bigint' && value >= LEAST && value <= GREATEST) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw invalid(`${name}.${property}`, `"${property}" of "${name}" must be an integer of 64 bits.`);
}

function narrow(value: bigint): Integer {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function invalid(field: string, message: string): ClusterError {
  return new ClusterError('REQUEST_INVALID', { field, message });
}
