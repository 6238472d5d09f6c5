/**
 * Rows of the log: after-images of what a transaction did.
 *
 * Applied to another engine in the same order they give the same content; schema changes are rows like any other.
 * A row is an array that begins with its kind's number: numbers are never used again for something else.
 */
import { decode } from '../msgpack/decode.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import type { Integer, SequenceDefinition } from '../schema/sequences.ts';
import type { IndexDefinition, SpaceDefinition } from '../schema/space-definition.ts';
import type { Tuple, Value } from '../schema/values.ts';

export type Row =
  /** The first row of a term: it changes nothing, and is what makes the term's leader writable. */
  | { readonly kind: 'begin-term'; readonly leader: string }
  | { readonly kind: 'replace'; readonly space: number; readonly tuple: Tuple }
  /** `key` is that of the primary index. */
  | { readonly kind: 'delete'; readonly space: number; readonly key: readonly Value[] }
  | { readonly kind: 'create-space'; readonly definition: SpaceDefinition }
  | { readonly kind: 'drop-space'; readonly space: number }
  | { readonly kind: 'create-index'; readonly space: number; readonly index: IndexDefinition }
  | { readonly kind: 'drop-index'; readonly space: number; readonly index: number }
  | { readonly kind: 'create-sequence'; readonly definition: SequenceDefinition }
  | { readonly kind: 'drop-sequence'; readonly name: string }
  /** The last value that it gave; nil when it begins anew. */
  | { readonly kind: 'set-sequence'; readonly name: string; readonly value: Integer | null }
  | { readonly kind: 'truncate'; readonly space: number };

/** Those that are written without going through objects. */
export const rowKinds = { replace: 1, delete: 2, createIndex: 5 } as const;

const REPLACE = rowKinds.replace;
const DELETE = rowKinds.delete;
const CREATE_SPACE = 3;
const DROP_SPACE = 4;
const CREATE_INDEX = rowKinds.createIndex;
const DROP_INDEX = 6;
const BEGIN_TERM = 7;
const CREATE_SEQUENCE = 8;
const DROP_SEQUENCE = 9;
const SET_SEQUENCE = 10;
const TRUNCATE = 11;

/** Between rows as values and as bytes. A UUID is written as the text that it is in JavaScript. */
export class RowCodec {
  readonly #writer = new MsgpackWriter();

  encode(rows: readonly Row[]): Uint8Array {
    this.#writer.arrayHeader(rows.length);
    for (const row of rows) this.#writer.value(toArray(row));
    return this.#writer.take();
  }

  encodeRow(row: Row): Uint8Array {
    this.#writer.value(toArray(row));
    return this.#writer.take();
  }

  encodeKey(key: readonly Value[]): Uint8Array {
    this.#writer.value(key);
    return this.#writer.take();
  }

  decodeKey(bytes: Uint8Array): readonly Value[] {
    return decode(bytes) as readonly Value[];
  }

  /** One row of a payload. */
  decodeRow(bytes: Uint8Array, at = 0): Row {
    return fromArray(decode(bytes, at) as readonly Value[]);
  }

  /** The bytes are those of a batch whose checksum was right: what is not understood is of a later version. */
  decode(payload: Uint8Array): readonly Row[] {
    return (decode(payload) as readonly (readonly Value[])[]).map(fromArray);
  }
}

/** Definitions hold what a row can hold. */
function toArray(row: Row): readonly Value[] {
  switch (row.kind) {
    case 'replace':
      return [REPLACE, row.space, row.tuple];
    case 'delete':
      return [DELETE, row.space, row.key];
    case 'create-space':
      return [CREATE_SPACE, row.definition as unknown as Value];
    case 'drop-space':
      return [DROP_SPACE, row.space];
    case 'create-index':
      return [CREATE_INDEX, row.space, row.index as unknown as Value];
    case 'drop-index':
      return [DROP_INDEX, row.space, row.index];
    case 'begin-term':
      return [BEGIN_TERM, row.leader];
    case 'create-sequence':
      return [CREATE_SEQUENCE, { ...row.definition }];
    case 'drop-sequence':
      return [DROP_SEQUENCE, row.name];
    case 'set-sequence':
      return [SET_SEQUENCE, row.name, row.value];
    case 'truncate':
      return [TRUNCATE, row.space];
  }
}

function fromArray(row: readonly unknown[]): Row {
  const [kind, first, second] = row;
  switch (kind) {
    case REPLACE:
      return { kind: 'replace', space: first as number, tuple: second as Tuple };
    case DELETE:
      return { kind: 'delete', space: first as number, key: second as readonly Value[] };
    case CREATE_SPACE:
      return { kind: 'create-space', definition: first as SpaceDefinition };
    case DROP_SPACE:
      return { kind: 'drop-space', space: first as number };
    case CREATE_INDEX:
      return {
        kind: 'create-index',
        space: first as number,
        index: second as IndexDefinition,
      };
    case DROP_INDEX:
      return { kind: 'drop-index', space: first as number, index: second as number };
    case BEGIN_TERM:
      return { kind: 'begin-term', leader: first as string };
    default:
      return otherFromArray(row);
  }
}

function otherFromArray(row: readonly unknown[]): Row {
  const [kind, first, second] = row;
  switch (kind) {
    case CREATE_SEQUENCE:
      return { kind: 'create-sequence', definition: first as SequenceDefinition };
    case DROP_SEQUENCE:
      return { kind: 'drop-sequence', name: first as string };
    case SET_SEQUENCE:
      return { kind: 'set-sequence', name: first as string, value: second as Integer | null };
    case TRUNCATE:
      return { kind: 'truncate', space: first as number };
    default:
      throw new Error(`the log has a row of kind ${String(kind)}, which this version cannot read`);
  }
}
