/**
 * Definitions of spaces and indexes: what users write, what is stored, and the checks between them.
 *
 * A definition is stored complete (types and null rules of index parts are copied from the format), so that a row
 * of the log means the same wherever it is applied.
 */
import { ClusterError } from '../errors.ts';
import { errorNumber } from '../iproto/error-numbers.ts';
import { type Collation, collations } from './collations.ts';
import {
  type FieldFormat,
  type FieldType,
  fieldTypes,
  fieldValue,
  hasCollation,
  isIndexable,
} from './field-types.ts';
import { storable, type Tuple, type Value } from './values.ts';

export interface IndexPart {
  /** Place in the tuple, from 0. */
  readonly field: number;
  readonly type: FieldType;
  readonly isNullable: boolean;
  /** Absent: texts are ordered by their bytes. */
  readonly collation?: Collation;
  /** Rows with nil here are not in the index. */
  readonly excludeNull?: true;
}

export interface IndexDefinition {
  /** 0 is the primary index. */
  readonly id: number;
  readonly name: string;
  readonly unique: boolean;
  readonly parts: readonly IndexPart[];
  /** Absent: a tree. A hash is unique, has no order, and is asked for whole keys or for everything. */
  readonly type?: 'hash';
  /** Of a primary index: where a row has nil in the first part, it is given the next value of this sequence. */
  readonly sequence?: string;
}

/** When a write to a space is acknowledged; with neither, when every in-sync member has it. */
export interface SpaceAcknowledgement {
  /** As soon as the leader's own log has it. */
  readonly ack?: 'local';
  /** When every in-sync member has it, and they are a majority of the replica set. */
  readonly isSync?: true;
}

export interface SpaceDefinition extends SpaceAcknowledgement {
  readonly id: number;
  readonly name: string;
  readonly format: readonly FieldFormat[];
  readonly indexes: readonly IndexDefinition[];
  /** Absent: its rows are in memory. */
  readonly engine?: 'disk';
}

export interface AcknowledgementOptions {
  readonly ack?: 'local' | undefined;
  readonly isSync?: boolean | undefined;
}

export type SpaceEngine = 'memory' | 'disk';

export interface FieldOptions {
  readonly name: string;
  readonly type: FieldType;
  readonly isNullable?: boolean;
  /** Of texts; what indexes over the field have when they do not say otherwise. */
  readonly collation?: Collation;
}

export interface PartOptions {
  /** Name of a field. */
  readonly field: string;
  readonly collation?: Collation;
  /** Only what the field says can be said here. */
  readonly isNullable?: boolean;
  readonly excludeNull?: boolean;
}

export interface IndexOptions {
  readonly name: string;
  /** Default true. */
  readonly unique?: boolean;
  /** Names of fields, or more about them. */
  readonly parts: readonly (string | PartOptions)[];
  /** Default tree. */
  readonly type?: 'tree' | 'hash';
  /** Name of a sequence; only for a primary index. */
  readonly sequence?: string;
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
    const { name, type, isNullable = false, collation } = field;
    checkCollation(`${path}.collation`, name, type, collation);
    return { name, type, isNullable, ...stored(collation) };
  });
}

export function spaceAcknowledgement(
  space: string,
  { ack, isSync = false }: AcknowledgementOptions,
): SpaceAcknowledgement {
  const given: string | undefined = ack;
  if (given !== undefined && given !== 'local') {
    throw invalid(`${space}.ack`, `"ack" is "local" or left out, not "${given}".`);
  }
  if (ack === 'local' && isSync) {
    throw invalid(
      `${space}.isSync`,
      `"${space}" cannot be both: "ack" asks for the leader alone, "isSync" for a majority.`,
    );
  }
  if (isSync) return { isSync: true };
  return ack === undefined ? {} : { ack };
}

export function sameAcknowledgement(a: SpaceAcknowledgement, b: SpaceAcknowledgement): boolean {
  return a.ack === b.ack && a.isSync === b.isSync;
}

/** Where the rows of a space are; nothing is stored for memory. */
export function spaceEngine(
  space: string,
  engine: SpaceEngine | undefined,
): { readonly engine?: 'disk' } {
  const given: string = engine ?? 'memory';
  if (given === 'memory') return {};
  if (given === 'disk') return { engine: given };
  throw invalid(`${space}.engine`, `Engines are memory and disk, not "${given}".`);
}

/** Texts are ordered by their bytes where nothing is said: that is not stored. */
function stored(collation: Collation | undefined): { readonly collation?: Collation } {
  return collation === undefined || collation === 'binary' ? {} : { collation };
}

function checkCollation(
  path: string,
  field: string,
  type: FieldType,
  collation: Collation | undefined,
): void {
  if (collation === undefined) return;
  if (!collations.includes(collation)) {
    throw invalid(path, `Collations are ${collations.join(', ')}, not "${collation}".`);
  }
  if (!hasCollation(type)) {
    throw invalid(path, `Field "${field}" is of type ${type}, which has no collation.`);
  }
}

export function indexDefinition(space: SpaceDefinition, options: IndexOptions): IndexDefinition {
  const path = `${space.name}.${options.name}`;
  const { name, unique = true, type = 'tree', sequence } = options;
  const primary = space.indexes.length === 0;
  if (primary && !unique) throw invalid(path, `The first index of "${space.name}" must be unique.`);
  if (options.parts.length === 0) throw invalid(path, `Index "${path}" needs at least one part.`);
  const parts = options.parts.map((part) => indexPart(space, path, part));
  const nullable = parts.find((part) => part.isNullable);
  if (primary && nullable !== undefined) {
    throw invalid(path, `The first index of "${space.name}" must have no nullable part.`);
  }
  checkType(path, { unique, type, parts });
  if (sequence !== undefined) checkSequence(path, primary, parts[0]);
  const id = primary ? 0 : Math.max(...space.indexes.map((index) => index.id)) + 1;
  return {
    id,
    name,
    unique,
    parts,
    ...(type === 'hash' ? { type } : {}),
    ...(sequence === undefined ? {} : { sequence }),
  };
}

interface WantedIndex {
  readonly unique: boolean;
  /** As it was given. */
  readonly type: string;
  readonly parts: readonly IndexPart[];
}

function checkType(path: string, { unique, type, parts }: WantedIndex): void {
  if (type === 'tree') return;
  if (type !== 'hash') {
    throw invalid(path, `Types of indexes are tree and hash, not "${type}".`);
  }
  if (!unique) throw invalid(path, `Index "${path}" is a hash, which must be unique.`);
  if (parts.some((part) => part.isNullable)) {
    throw invalid(path, `Index "${path}" is a hash, which must have no nullable part.`);
  }
}

function checkSequence(path: string, primary: boolean, first: IndexPart | undefined): void {
  if (!primary) throw invalid(path, `Index "${path}" is not the first: it has no sequence.`);
  if (first?.type === 'unsigned' || first?.type === 'integer') return;
  throw invalid(path, `The first part of "${path}" must be unsigned or integer for a sequence.`);
}

function indexPart(space: SpaceDefinition, path: string, part: string | PartOptions): IndexPart {
  const { field: name, ...options }: PartOptions =
    typeof part === 'string' ? { field: part } : part;
  const field = space.format.findIndex((format) => format.name === name);
  const format = space.format[field];
  if (format === undefined) throw invalid(path, `Space "${space.name}" has no field "${name}".`);
  const { type, isNullable } = format;
  if (!isIndexable(type)) {
    throw invalid(path, `Field "${name}" is of type ${type}, which cannot be indexed.`);
  }
  if (options.isNullable !== undefined && options.isNullable !== isNullable) {
    const what = isNullable ? 'nullable' : 'not nullable';
    throw invalid(path, `Field "${name}" is ${what} in the format, so it is in "${path}" too.`);
  }
  if (options.excludeNull === true && !isNullable) {
    throw invalid(path, `Field "${name}" is never nil: "${path}" has nothing to exclude.`);
  }
  checkCollation(path, name, type, options.collation);
  return {
    field,
    type,
    isNullable,
    ...stored(options.collation ?? format.collation),
    ...(options.excludeNull === true ? { excludeNull: true } : {}),
  };
}

/** Is a row with these fields in the index at all? */
export function isIndexed(index: IndexDefinition, tuple: Tuple): boolean {
  return index.parts.every(
    ({ field, excludeNull }) => excludeNull !== true || (tuple[field] ?? null) !== null,
  );
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
      protocolNumber: errorNumber.KEY_PART_COUNT,
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
