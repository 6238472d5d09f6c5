/**
 * Definitions of spaces and indexes: what users write, what is stored, and the checks between them.
 *
 * A definition is stored complete (types and null rules of index parts are copied from the format), so that a row
 * of the log means the same wherever it is applied.
 */
import { ClusterError } from '../errors.ts';
import {
  type FieldFormat,
  type FieldType,
  fieldTypes,
  fieldValue,
  isIndexable,
} from './field-types.ts';
import { storable, type Tuple, type Value } from './values.ts';

export interface IndexPart {
  /** Place in the tuple, from 0. */
  readonly field: number;
  readonly type: FieldType;
  readonly isNullable: boolean;
}

export interface IndexDefinition {
  /** 0 is the primary index. */
  readonly id: number;
  readonly name: string;
  readonly unique: boolean;
  readonly parts: readonly IndexPart[];
}

export interface SpaceDefinition {
  readonly id: number;
  readonly name: string;
  readonly format: readonly FieldFormat[];
  readonly indexes: readonly IndexDefinition[];
}

export interface FieldOptions {
  readonly name: string;
  readonly type: FieldType;
  readonly isNullable?: boolean;
}

export interface IndexOptions {
  readonly name: string;
  /** Default true. */
  readonly unique?: boolean;
  /** Names of fields. */
  readonly parts: readonly string[];
}

export function spaceFormat(
  space: string,
  fields: readonly FieldOptions[],
): readonly FieldFormat[] {
  const seen = new Set<string>();
  return fields.map((field, index) => {
    const path = `${space}.format[${index}]`;
    if (field.name === '') throw invalid(`${path}.name`, 'A field needs a name.');
    if (seen.has(field.name)) {
      throw invalid(`${path}.name`, `Two fields of "${space}" are named "${field.name}".`);
    }
    if (!fieldTypes.includes(field.type)) {
      throw invalid(`${path}.type`, `Types are ${fieldTypes.join(', ')}, not "${field.type}".`);
    }
    seen.add(field.name);
    return { name: field.name, type: field.type, isNullable: field.isNullable ?? false };
  });
}

export function indexDefinition(space: SpaceDefinition, options: IndexOptions): IndexDefinition {
  const path = `${space.name}.${options.name}`;
  const primary = space.indexes.length === 0;
  const unique = options.unique ?? true;
  if (primary && !unique) throw invalid(path, `The first index of "${space.name}" must be unique.`);
  if (options.parts.length === 0) throw invalid(path, `Index "${path}" needs at least one part.`);
  const parts = options.parts.map((name) => indexPart(space, path, name));
  const nullable = parts.find((part) => part.isNullable);
  if (primary && nullable !== undefined) {
    throw invalid(path, `The first index of "${space.name}" must have no nullable part.`);
  }
  const id = primary ? 0 : Math.max(...space.indexes.map((index) => index.id)) + 1;
  return { id, name: options.name, unique, parts };
}

function indexPart(space: SpaceDefinition, path: string, name: string): IndexPart {
  const field = space.format.findIndex((format) => format.name === name);
  const format = space.format[field];
  if (format === undefined) throw invalid(path, `Space "${space.name}" has no field "${name}".`);
  if (!isIndexable(format.type)) {
    throw invalid(path, `Field "${name}" is of type ${format.type}, which cannot be indexed.`);
  }
  return { field, type: format.type, isNullable: format.isNullable };
}

/** The row as it is stored, or `TUPLE_INVALID`. Fields beyond the format are free. */
export function storedTuple(space: SpaceDefinition, values: readonly unknown[]): Tuple {
  const length = Math.max(values.length, requiredLength(space.format));
  const tuple: Value[] = [];
  for (let index = 0; index < length; index++) {
    const format = space.format[index];
    tuple.push(
      format === undefined
        ? storable(values[index], `[${index}]`)
        : fieldValue(values[index], format),
    );
  }
  return Object.freeze(tuple);
}

/** Up to the last field that must be there: missing ones are then reported by name. */
function requiredLength(format: readonly FieldFormat[]): number {
  return format.findLastIndex((field) => !field.isNullable && field.type !== 'any') + 1;
}

/** A key or the beginning of one, checked against the parts of its index. */
export function storedKey(
  space: SpaceDefinition,
  index: IndexDefinition,
  key: readonly unknown[],
): readonly Value[] {
  if (key.length > index.parts.length) {
    throw new ClusterError('TUPLE_INVALID', {
      field: `${space.name}.${index.name}`,
      message:
        `A key of "${space.name}.${index.name}" has at most ${index.parts.length} parts, ` +
        `not ${key.length}.`,
    });
  }
  return key.map((value, position) => {
    const part = index.parts[position];
    const name = space.format[part?.field ?? 0]?.name ?? `[${position}]`;
    return fieldValue(value, {
      name,
      type: part?.type ?? 'any',
      isNullable: part?.isNullable ?? true,
    });
  });
}

export function sameFormat(a: readonly FieldFormat[], b: readonly FieldFormat[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Ids are given, not asked for: they do not count. */
export function sameIndex(a: IndexDefinition, b: IndexDefinition): boolean {
  return JSON.stringify({ ...a, id: 0 }) === JSON.stringify({ ...b, id: 0 });
}

function invalid(field: string, message: string): ClusterError {
  return new ClusterError('REQUEST_INVALID', { field, message });
}
