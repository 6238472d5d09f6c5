/**
 * The engine in plain JavaScript: the oracle for any faster one.
 *
 * A transaction works in place and remembers how to undo each step. So the rows that it hands to the log are those
 * that are already there, and a failure leaves exactly what was before.
 */
import { assert } from '../../foundation/assert.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import { encodeTuple } from '../schema/tuple-bytes.ts';
import { storable, type Tuple } from '../schema/values.ts';
import type { Engine, OpenTransaction, ScanCursor, ScannedRows } from './engine.ts';
import { Catalog } from './reference-engine-catalog.ts';
import { ReferenceTransaction } from './reference-engine-transaction.ts';
import { ReferenceSpace } from './reference-space.ts';
import { RowWriter } from './row-writer.ts';
import { type Row, RowCodec } from './rows.ts';

type SequenceRow = Extract<Row, { kind: 'create-sequence' | 'drop-sequence' | 'set-sequence' }>;

export class ReferenceEngine implements Engine {
  readonly rows = new RowWriter();
  readonly #catalog = new Catalog();
  readonly #codec = new RowCodec();
  readonly #writer = new MsgpackWriter();
  #open: ReferenceTransaction | undefined;

  begin(): OpenTransaction {
    assert(this.#open?.ended !== false, 'one transaction at a time');
    this.#open = new ReferenceTransaction(this.#catalog, this.rows);
    return this.#open;
  }

  apply(payload: Uint8Array): void {
    assert(this.#open?.ended !== false, 'rows are applied between transactions');
    for (const row of this.#codec.decode(payload)) this.#apply(row);
  }

  scan(from: ScanCursor | undefined, maxBytes: number): ScannedRows {
    const rows = new RowWriter();
    const spaces = [...this.#catalog.byId.values()].toSorted((a, b) => a.id - b.id);
    if (from === undefined) {
      for (const { definition, last } of this.#catalog.sequences.values()) {
        rows.row({ kind: 'create-sequence', definition });
        if (last === undefined) continue;
        rows.row({ kind: 'set-sequence', name: definition.name, value: last });
      }
      for (const { definition } of spaces) rows.row({ kind: 'create-space', definition });
    }
    for (const space of spaces.filter(({ id }) => id >= (from?.space ?? 0))) {
      const after = from?.space === space.id ? from.after : undefined;
      const key = after === undefined ? [] : this.#codec.decodeKey(after);
      for (const tuple of space.behindPrimary(key)) {
        encodeTuple(space.definition, tuple, this.#writer);
        rows.replace(space.id, this.#writer.bytes, 0, this.#writer.length);
        this.#writer.length = 0;
        if (rows.byteLength < maxBytes) continue;
        const last = this.#codec.encodeKey(space.primaryKey(tuple));
        return { ...rows.take(), next: { space: space.id, after: last } };
      }
    }
    return { ...rows.take(), next: undefined };
  }

  beginLoad(): void {
    assert(this.#catalog.byId.size === 0, 'only an empty engine is loaded');
  }

  endLoad(): void {
    // Nothing was put off.
  }

  #apply(row: Row): void {
    switch (row.kind) {
      case 'begin-term':
        return;
      case 'create-space':
        this.#catalog.add(new ReferenceSpace(row.definition));
        return;
      case 'drop-space':
        this.#catalog.remove(this.#space(row.space));
        return;
      case 'create-index':
        this.#space(row.space).createIndex(row.index);
        return;
      case 'drop-index':
        this.#space(row.space).dropIndex(row.index);
        return;
      case 'replace': {
        const space = this.#space(row.space);
        const tuple = storable(row.tuple, space.name) as Tuple;
        space.exchange(space.samePrimary(tuple), tuple);
        return;
      }
      case 'delete': {
        const space = this.#space(row.space);
        space.exchange(space.byPrimaryKey(row.key), undefined);
        return;
      }
      case 'truncate':
        this.#space(row.space).truncate();
        return;
      default:
        this.#applySequence(row);
    }
  }

  #applySequence(row: SequenceRow): void {
    const { sequences } = this.#catalog;
    if (row.kind === 'create-sequence') {
      sequences.set(row.definition.name, { definition: row.definition, last: undefined });
      return;
    }
    const sequence = sequences.get(row.name);
    assert(
      sequence !== undefined,
      `the log has a row of sequence "${row.name}", which does not exist`,
    );
    if (row.kind === 'drop-sequence') sequences.delete(row.name);
    else sequences.set(row.name, { ...sequence, last: row.value ?? undefined });
  }

  #space(id: number): ReferenceSpace {
    const space = this.#catalog.byId.get(id);
    assert(space !== undefined, `the log has a row of space ${id}, which does not exist`);
    return space;
  }
}
