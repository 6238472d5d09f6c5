/**
 * Updates of a tuple as bytes: what no operation names is copied, not read.
 *
 * Operations are done in their order, each on what the one before has left, by the rules of Tarantool: a field that
 * was changed is not counted on or spliced once more, but it can be put, taken out, or moved by what happens before it.
 */
import { ClusterError } from '../errors.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { skip } from '../msgpack/skip.ts';
import {
  arrayLength,
  arrayStart,
  type EncodedOperations,
  type FieldNumberOf,
  invalid,
  noSuchField,
  operators,
  type RawOperation,
  readOperations,
} from './tuple-update-operations.ts';
import { writeChanged } from './tuple-update-values.ts';

/** A tuple, as an array in MessagePack. */
export interface EncodedTuple {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Where the fields of a tuple have their names. */
export interface NamedFields {
  readonly numberOf: FieldNumberOf;
  /** May one update count on a field more than once? In the protocol it may not. */
  readonly canRepeat?: boolean;
  /** For messages. */
  readonly nameOf?: (field: number) => string | undefined;
  /** `=` reaches this many fields even where the tuple ends before: those between become nil. */
  readonly count: number;
}

/**
 * The whole new tuple; `TUPLE_INVALID` where an operation cannot be done. With `into`, whatever is in that is lost, and
 * the tuple is a view of its bytes: making buffers costs more than most updates.
 */
export function updateTuple(
  tuple: EncodedTuple,
  operations: EncodedOperations,
  fields: NamedFields | FieldNumberOf,
  into?: MsgpackWriter,
): Uint8Array {
  return new TupleUpdate(tuple, operations, fields).run(false, into);
}

/** As an update, but operations that do not fit the tuple are left out. */
export function upsertTuple(
  tuple: EncodedTuple,
  operations: EncodedOperations,
  fields: NamedFields | FieldNumberOf,
  into?: MsgpackWriter,
): Uint8Array {
  return new TupleUpdate(tuple, operations, fields).run(true, into);
}

/** Checks operations as far as that can be done without a tuple: an upsert that inserts has to. */
export function checkOperations(
  operations: EncodedOperations,
  fields: NamedFields | FieldNumberOf,
): void {
  readOperations(operations, typeof fields === 'function' ? fields : fields.numberOf);
}

interface Item {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Has an operation changed it? */
  readonly isChanged: boolean;
}

const NIL = Uint8Array.of(0xc0);
const NIL_ITEM: Item = { bytes: NIL, start: 0, end: 1, isChanged: false };
/** What a number can grow by, for each operation. */
const GROWTH = 32;

class TupleUpdate {
  readonly #tuple: EncodedTuple;
  readonly #operationBytes: Uint8Array;
  readonly #operations: readonly RawOperation[];
  readonly #fields: NamedFields | undefined;
  readonly #size: number;

  constructor(
    tuple: EncodedTuple,
    operations: EncodedOperations,
    fields: NamedFields | FieldNumberOf,
  ) {
    const isFunction = typeof fields === 'function';
    this.#tuple = tuple;
    this.#operationBytes = operations.bytes;
    this.#operations = readOperations(operations, isFunction ? fields : fields.numberOf);
    this.#fields = isFunction ? undefined : fields;
    this.#size = arrayLength(tuple.bytes, tuple.start);
  }

  run(isUpsert: boolean, into: MsgpackWriter | undefined): Uint8Array {
    const { start, end } = this.#tuple;
    const writer = into ?? new MsgpackWriter(end - start + this.#growth());
    writer.length = 0;
    if (this.#isInPlace()) this.#copy(isUpsert, writer);
    else this.#rebuild(isUpsert, writer);
    return writer.bytes.subarray(0, writer.length);
  }

  /** Do the operations change fields that are there, each once and from left to right? */
  #isInPlace(): boolean {
    let last = -1;
    for (const { operator, field } of this.#operations) {
      if (operator === operators.insert || operator === operators.remove) return false;
      if (field <= last || field >= this.#size) return false;
      last = field;
    }
    return true;
  }

  #copy(isUpsert: boolean, writer: MsgpackWriter): void {
    const { bytes, start, end } = this.#tuple;
    let at = arrayStart(bytes, start);
    let copied = start;
    let index = 0;
    for (const operation of this.#operations) {
      for (; index < operation.field; index++) at = skip(bytes, at);
      writer.raw(bytes, copied, at);
      const behind = skip(bytes, at);
      copied = this.#write(operation, { bytes, at }, writer, isUpsert) ? behind : at;
      at = behind;
      index += 1;
    }
    writer.raw(bytes, copied, end);
  }

  /** False, and nothing written, where the operation is left out. */
  #write(
    operation: RawOperation,
    from: { readonly bytes: Uint8Array; readonly at: number },
    writer: MsgpackWriter,
    isUpsert: boolean,
  ): boolean {
    if (operation.operator === operators.assign) {
      writer.raw(this.#operationBytes, operation.valueAt, operation.valueEnd);
      return true;
    }
    const { length } = writer;
    try {
      writeChanged(operation, from, this.#operationBytes, writer);
      return true;
    } catch (error) {
      this.#passOver(error, operation, isUpsert);
      writer.length = length;
      return false;
    }
  }

  #rebuild(isUpsert: boolean, writer: MsgpackWriter): void {
    const items = this.#items();
    const scratch = new MsgpackWriter(this.#growth());
    for (const operation of this.#operations) {
      try {
        this.#perform(operation, items, scratch);
      } catch (error) {
        this.#passOver(error, operation, isUpsert);
      }
    }
    writer.arrayHeader(items.length);
    for (const { bytes, start, end } of items) writer.raw(bytes, start, end);
  }

  #items(): Item[] {
    const { bytes, start } = this.#tuple;
    const items: Item[] = [];
    let at = arrayStart(bytes, start);
    for (let index = 0; index < this.#size; index++) {
      const end = skip(bytes, at);
      items.push({ bytes, start: at, end, isChanged: false });
      at = end;
    }
    return items;
  }

  #perform(operation: RawOperation, items: Item[], scratch: MsgpackWriter): void {
    switch (operation.operator) {
      case operators.insert:
        items.splice(placeOf(operation.field, items.length + 1), 0, this.#given(operation, false));
        return;
      case operators.remove:
        items.splice(placeOf(operation.field, items.length), operation.count);
        return;
      case operators.assign:
        this.#assign(operation, items);
        return;
      default:
        this.#change(operation, items, scratch);
    }
  }

  #assign(operation: RawOperation, items: Item[]): void {
    const { field } = operation;
    if (field === items.length || (field > items.length && field < (this.#fields?.count ?? 0))) {
      while (items.length < field) items.push(NIL_ITEM);
      items.push(this.#given(operation, false));
    } else {
      items[placeOf(field, items.length)] = this.#given(operation, true);
    }
  }

  #given({ valueAt, valueEnd }: RawOperation, isChanged: boolean): Item {
    return { bytes: this.#operationBytes, start: valueAt, end: valueEnd, isChanged };
  }

  #change(operation: RawOperation, items: Item[], scratch: MsgpackWriter): void {
    const place = placeOf(operation.field, items.length);
    const item = items[place] as Item;
    if (item.isChanged && this.#fields?.canRepeat !== true) {
      throw invalid('UPDATE_FIELD', `Field ${operation.field} is changed twice by one update.`);
    }
    scratch.length = 0;
    writeChanged(operation, { bytes: item.bytes, at: item.start }, this.#operationBytes, scratch);
    const bytes = scratch.take();
    items[place] = { bytes, start: 0, end: bytes.length, isChanged: true };
  }

  /** Throws again what is no reason to leave the operation out, with the name of its field. */
  #passOver(error: unknown, { field }: RawOperation, isUpsert: boolean): void {
    if (!(error instanceof ClusterError)) throw error;
    if (isUpsert) return;
    const { code, message, protocolNumber } = error;
    const name = this.#fields?.nameOf?.(field) ?? `[${field}]`;
    throw new ClusterError(code, {
      field: name,
      message: `${message} The field is "${name}".`,
      ...(protocolNumber === undefined ? {} : { protocolNumber }),
    });
  }

  #growth(): number {
    let growth = GROWTH;
    for (const { valueAt, valueEnd } of this.#operations) growth += valueEnd - valueAt + GROWTH;
    return growth;
  }
}

function placeOf(field: number, size: number): number {
  const place = field < 0 ? field + size : field;
  if (place >= 0 && place < size) return place;
  throw noSuchField(field);
}
