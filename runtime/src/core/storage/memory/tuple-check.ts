/**
 * Checks tuples against the format of their space, without decoding them, and finds where their fields begin.
 *
 * The first byte of a value tells its type; a table per field says whether that byte may be there.
 */
import { ClusterError } from '../../errors.ts';
import { type ErrorNumber, errorNumber } from '../../iproto/error-numbers.ts';
import { extensionType } from '../../msgpack/extension.ts';
import { skip } from '../../msgpack/skip.ts';
import type { FieldFormat, FieldType } from '../../schema/field-types.ts';
import type { IndexDefinition, SpaceDefinition } from '../../schema/space-definition.ts';
import { TUPLE_BYTES_MAX } from './arena.ts';
import { doubleAt, fieldCount, firstField, MISSING } from './raw-values.ts';

const REFUSED = 0;
const ADMITTED = 1;
/** Only of the extension that the type has. */
const EXTENSION = 2;
/** Only if it is a number. */
const DOUBLE = 3;

export class TupleCheck {
  /** Where the fields of the tuple that was located last begin; `MISSING` where it has none. */
  readonly positions: Int32Array;
  readonly uuidFields: readonly number[];
  readonly #space: SpaceDefinition;
  readonly #tables: readonly Uint8Array[];
  readonly #extensions: Int8Array;
  readonly #needed: number;

  constructor(space: SpaceDefinition) {
    this.#space = space;
    const { format, indexes } = space;
    const indexed = indexes.flatMap(({ parts }) => parts.map(({ field }) => field + 1));
    const count = Math.max(format.length, 0, ...indexed);
    const types = Array.from({ length: count }, (_, field) => fieldTypeOf(space, field));
    this.uuidFields = types.flatMap(({ type }, field) => (type === 'uuid' ? [field] : []));
    this.positions = new Int32Array(count);
    this.#tables = types.map((field) => tableOf(field));
    this.#extensions = Int8Array.from(types, ({ type }) => extensionOf(type));
    this.#needed = types.findLastIndex((field) => !field.isNullable && field.type !== 'any') + 1;
  }

  /** Finds the fields of a tuple of the log, which was checked before it was written. */
  locate(bytes: Uint8Array, at: number): void {
    const { positions } = this;
    const count = fieldCount(bytes, at);
    const known = positions.length;
    let position = firstField(bytes, at);
    for (let field = 0; field < known; field++) {
      if (field >= count) positions[field] = MISSING;
      else {
        positions[field] = position;
        position = skip(bytes, position);
      }
    }
  }

  /** Finds them, and refuses what does not fit the format. */
  check(bytes: Uint8Array, at: number, end: number): void {
    const { positions } = this;
    const count = fieldCount(bytes, at);
    if (count < this.#needed) this.#refuseMissing(count);
    if (end - at > TUPLE_BYTES_MAX) this.#refuseSize(end - at);
    const known = positions.length;
    let position = firstField(bytes, at);
    for (let field = 0; field < known; field++) {
      if (field >= count) {
        positions[field] = MISSING;
        continue;
      }
      const admitted = (this.#tables[field] as Uint8Array)[bytes[position] as number] as number;
      if (admitted !== ADMITTED) this.#look(admitted, field, bytes, position);
      positions[field] = position;
      position = skip(bytes, position);
    }
  }

  #look(admitted: number, field: number, bytes: Uint8Array, at: number): void {
    if (admitted === EXTENSION && extensionAt(bytes, at) === this.#extensions[field]) return;
    if (admitted === DOUBLE && !Number.isNaN(doubleAt(bytes, at))) return;
    this.#refuseType(field, bytes, at);
  }

  #refuseType(field: number, bytes: Uint8Array, at: number): never {
    const { type, isNullable } = fieldTypeOf(this.#space, field);
    const wanted = isNullable ? `${type} or nil` : type;
    throw this.#refusal(field, errorNumber.FIELD_TYPE, `be ${wanted}, not ${found(bytes, at)}`);
  }

  #refuseMissing(count: number): never {
    let field = count;
    while (fieldTypeOf(this.#space, field).isNullable) field++;
    throw this.#refusal(
      field,
      errorNumber.FIELD_MISSING,
      `be there: the tuple has ${count} fields`,
    );
  }

  #refuseSize(size: number): never {
    throw new ClusterError('TUPLE_INVALID', {
      message: `A tuple of "${this.#space.name}" has ${size} bytes; ${TUPLE_BYTES_MAX} are the most.`,
      protocolNumber: errorNumber.MEMTX_MAX_TUPLE_SIZE,
    });
  }

  #refusal(field: number, protocolNumber: ErrorNumber, must: string): ClusterError {
    const name = this.#space.format[field]?.name ?? `[${field}]`;
    return new ClusterError('TUPLE_INVALID', {
      field: name,
      message: `Field ${field + 1} ("${name}") of "${this.#space.name}" must ${must}.`,
      protocolNumber,
    });
  }
}

/** The same for keys: one table for each part of an index. */
export class KeyCheck {
  readonly #space: SpaceDefinition;
  readonly #index: IndexDefinition;
  readonly #tables: readonly Uint8Array[];

  constructor(space: SpaceDefinition, index: IndexDefinition) {
    this.#space = space;
    this.#index = index;
    this.#tables = index.parts.map((part) => tableOf(part));
  }

  /** The number of parts of a key, or the beginning of one. */
  check(bytes: Uint8Array, keyAt: number): number {
    const count = fieldCount(bytes, keyAt);
    const { parts, name } = this.#index;
    if (count > parts.length) {
      throw new ClusterError('TUPLE_INVALID', {
        field: `${this.#space.name}.${name}`,
        message: `A key of "${this.#space.name}.${name}" has at most ${parts.length} parts, not ${count}.`,
        protocolNumber: errorNumber.KEY_PART_COUNT,
      });
    }
    let at = firstField(bytes, keyAt);
    for (let part = 0; part < count; part++) {
      if (!this.#admits(part, bytes, at)) this.#refuse(part, bytes, at);
      at = skip(bytes, at);
    }
    return count;
  }

  #admits(part: number, bytes: Uint8Array, at: number): boolean {
    const admitted = (this.#tables[part] as Uint8Array)[bytes[at] as number] as number;
    if (admitted === ADMITTED) return true;
    const type = this.#index.parts[part]?.type ?? 'any';
    if (admitted === EXTENSION) return extensionAt(bytes, at) === extensionOf(type);
    return admitted === DOUBLE && !Number.isNaN(doubleAt(bytes, at));
  }

  #refuse(part: number, bytes: Uint8Array, at: number): never {
    const { field, type } = this.#index.parts[part] ?? { field: 0, type: 'any' };
    const name = this.#space.format[field]?.name ?? `[${field}]`;
    throw new ClusterError('TUPLE_INVALID', {
      field: name,
      message: `Part ${part + 1} of a key of "${this.#space.name}.${this.#index.name}" must be ${type}, not ${found(bytes, at)}.`,
      protocolNumber: errorNumber.KEY_PART_TYPE,
    });
  }
}

/** Fields beyond the format are free, unless an index says otherwise. */
function fieldTypeOf(
  space: SpaceDefinition,
  field: number,
): Pick<FieldFormat, 'type' | 'isNullable'> {
  const format = space.format[field];
  if (format !== undefined) return format;
  const part = space.indexes.flatMap(({ parts }) => parts).find((each) => each.field === field);
  return part ?? { type: 'any', isNullable: true };
}

function extensionAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  const type = head >= 0xd4 ? bytes[at + 1] : bytes[at + 2 + (head - 0xc7) + Number(head === 0xc9)];
  return ((type as number) << 24) >> 24;
}

function extensionOf(type: FieldType): number {
  if (type === 'uuid') return extensionType.uuid;
  if (type === 'datetime') return extensionType.dateTime;
  return extensionType.decimal;
}

const integerBytes: Ranges = [
  [0x00, 0x7f],
  [0xcc, 0xcf],
];
const signedBytes: Ranges = [
  [0xd0, 0xd3],
  [0xe0, 0xff],
];
const doubleBytes: Ranges = [[0xca, 0xcb]];
/** Fixed sizes, and one byte of length: others are no way in which a decimal or a time is written. */
const extensionBytes: Ranges = [
  [0xc7, 0xc7],
  [0xd4, 0xd8],
];
const uuidBytes: Ranges = [[0xd8, 0xd8]];
const textBytes: Ranges = [
  [0xa0, 0xbf],
  [0xd9, 0xdb],
];
const binaryBytes: Ranges = [[0xc4, 0xc6]];
const booleanBytes: Ranges = [[0xc2, 0xc3]];

type Ranges = readonly (readonly [number, number])[];

const admittedBytes: Readonly<Record<string, Ranges>> = {
  unsigned: integerBytes,
  integer: [...integerBytes, ...signedBytes],
  number: [...integerBytes, ...signedBytes],
  double: [...integerBytes, ...signedBytes],
  decimal: [],
  string: textBytes,
  varbinary: binaryBytes,
  boolean: booleanBytes,
  uuid: [],
  datetime: [],
  array: [
    [0x90, 0x9f],
    [0xdc, 0xdd],
  ],
  map: [
    [0x80, 0x8f],
    [0xde, 0xdf],
  ],
  scalar: [...integerBytes, ...signedBytes, ...textBytes, ...binaryBytes, ...booleanBytes],
  any: [[0x00, 0xff]],
};

function tableOf({ type, isNullable }: Pick<FieldFormat, 'type' | 'isNullable'>): Uint8Array {
  const table = new Uint8Array(256).fill(REFUSED);
  const admit = (ranges: Ranges, what: number): void => {
    for (const [first, last] of ranges) table.fill(what, first, last + 1);
  };
  if (['number', 'decimal', 'datetime', 'scalar'].includes(type)) admit(extensionBytes, EXTENSION);
  if (type === 'uuid') admit(uuidBytes, EXTENSION);
  if (['number', 'double', 'scalar'].includes(type)) admit(doubleBytes, DOUBLE);
  admit(admittedBytes[type] ?? [], ADMITTED);
  if (isNullable) table[0xc0] = ADMITTED;
  return table;
}

function found(bytes: Uint8Array, at: number): string {
  const head = bytes[at] as number;
  const within = (ranges: Ranges): boolean =>
    ranges.some(([first, last]) => head >= first && head <= last);
  if (head === 0xc0) return 'nil';
  const names: readonly (readonly [string, Ranges])[] = [
    ['unsigned', integerBytes],
    ['integer', signedBytes],
    ['double', doubleBytes],
    ['string', textBytes],
    ['varbinary', binaryBytes],
    ['boolean', booleanBytes],
    ['map', admittedBytes['map'] ?? []],
    ['array', admittedBytes['array'] ?? []],
  ];
  return names.find(([, ranges]) => within(ranges))?.[0] ?? 'an extension';
}
