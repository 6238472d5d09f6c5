/**
 * Rows of the log: after-images of what a transaction did.
 *
 * Applied to another engine in the same order they give the same content; schema changes are rows like any other.
 * A row is an array that begins with its kind's number: numbers are never used again for something else.
 */
import { Packr } from 'msgpackr';
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
  | { readonly kind: 'drop-index'; readonly space: number; readonly index: number };

/** Those that are written without going through objects. */
export const rowKinds = { replace: 1, delete: 2 } as const;

const REPLACE = rowKinds.replace;
const DELETE = rowKinds.delete;
const CREATE_SPACE = 3;
const DROP_SPACE = 4;
const CREATE_INDEX = 5;
const DROP_INDEX = 6;
const BEGIN_TERM = 7;

export class RowCodec {
  /** Wide integers come back as BigInt; the engine makes them numbers again where that is exact. */
  readonly #packr = new Packr({ useRecords: false, int64AsType: 'bigint', copyBuffers: true });

  encode(rows: readonly Row[]): Uint8Array {
    return Uint8Array.from(this.#packr.pack(rows.map(toArray)));
  }

  encodeRow(row: Row): Uint8Array {
    return Uint8Array.from(this.#packr.pack(toArray(row)));
  }

  encodeKey(key: readonly Value[]): Uint8Array {
    return Uint8Array.from(this.#packr.pack(key.map(wide)));
  }

  decodeKey(bytes: Uint8Array): readonly Value[] {
    return this.#packr.unpack(bytes) as readonly Value[];
  }

  /** The bytes are those of a batch whose checksum was right: what is not understood is of a later version. */
  decode(payload: Uint8Array): readonly Row[] {
    return (this.#packr.unpack(payload) as readonly (readonly unknown[])[]).map(fromArray);
  }
}

function toArray(row: Row): readonly unknown[] {
  switch (row.kind) {
    case 'replace':
      return [REPLACE, row.space, row.tuple.map(wide)];
    case 'delete':
      return [DELETE, row.space, row.key.map(wide)];
    case 'create-space':
      return [CREATE_SPACE, row.definition];
    case 'drop-space':
      return [DROP_SPACE, row.space];
    case 'create-index':
      return [CREATE_INDEX, row.space, row.index];
    case 'drop-index':
      return [DROP_INDEX, row.space, row.index];
    case 'begin-term':
      return [BEGIN_TERM, row.leader];
  }
}

/** Whole numbers beyond 32 bits would be written as floating point. */
function wide(value: Value): Value {
  const beyond = typeof value === 'number' && Math.abs(value) > 0x7fff_ffff;
  return beyond && Number.isSafeInteger(value) ? BigInt(value) : value;
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
      return { kind: 'create-index', space: first as number, index: second as IndexDefinition };
    case DROP_INDEX:
      return { kind: 'drop-index', space: first as number, index: second as number };
    case BEGIN_TERM:
      return { kind: 'begin-term', leader: first as string };
    default:
      throw new Error(`the log has a row of kind ${String(kind)}, which this version cannot read`);
  }
}
