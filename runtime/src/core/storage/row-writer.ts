/**
 * Collects the rows of transactions until the log takes them: raw MessagePack, one behind another.
 *
 * The engine writes each row where it changes something, and rewinds to its mark when a transaction is rolled back,
 * so what is here is at every moment what is in the engine and not yet in the log.
 */
import { assert } from '../../foundation/assert.ts';
import { type Row, RowCodec, rowKinds } from './rows.ts';

/** Rows as the payload of a batch. */
export interface TakenRows {
  /** An array of rows; `PAYLOAD_HEADROOM` bytes before it, in the same buffer, are free for the frame of the batch. */
  readonly payload: Uint8Array;
  readonly rowCount: number;
}

export interface RowMark {
  readonly length: number;
  readonly count: number;
}

/** Bytes that are left free before every payload. */
export const PAYLOAD_HEADROOM = 64;

const FIRST_CAPACITY = 64 * 1024;
/** A large buffer is not kept for small batches. */
const LARGEST_KEPT = 1024 * 1024;
/** Up to here a loop costs less than a call. */
const SHORT = 192;
const ARRAY_32 = 0xdd;
const ARRAY_HEADER = 5;

export class RowWriter {
  readonly #codec = new RowCodec();
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;
  #count = 0;

  /** Rows that wait for the log. */
  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** A tuple, as an array in MessagePack, was put into its space. */
  replace(space: number, bytes: Uint8Array, start: number, end: number): void {
    this.#raw(rowKinds.replace, space, bytes, start, end);
  }

  /** The row with this primary key, as an array in MessagePack, was taken out. */
  delete(space: number, bytes: Uint8Array, start: number, end: number): void {
    this.#raw(rowKinds.delete, space, bytes, start, end);
  }

  row(row: Row): void {
    const encoded = this.#codec.encodeRow(row);
    this.#reserve(encoded.length);
    this.#bytes.set(encoded, this.#length);
    this.#length += encoded.length;
    this.#count += 1;
  }

  mark(): RowMark {
    return { length: this.#length, count: this.#count };
  }

  rewind(mark: RowMark): void {
    assert(mark.length <= this.#length, 'only rows that are still here are taken back');
    this.#length = mark.length;
    this.#count = mark.count;
  }

  /** Gives all rows away. */
  take(): TakenRows {
    const rowCount = this.#count;
    const whole = new Uint8Array(PAYLOAD_HEADROOM + ARRAY_HEADER + this.#length);
    const payload = whole.subarray(PAYLOAD_HEADROOM);
    payload[0] = ARRAY_32;
    payload[1] = rowCount >>> 24;
    payload[2] = rowCount >>> 16;
    payload[3] = rowCount >>> 8;
    payload[4] = rowCount;
    payload.set(this.#bytes.subarray(0, this.#length), ARRAY_HEADER);
    if (this.#bytes.length > LARGEST_KEPT) this.#bytes = new Uint8Array(FIRST_CAPACITY);
    this.#length = 0;
    this.#count = 0;
    return { payload, rowCount };
  }

  #raw(kind: number, space: number, from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size + 7);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at] = 0x93;
    bytes[at + 1] = kind;
    bytes[at + 2] = 0xce;
    bytes[at + 3] = space >>> 24;
    bytes[at + 4] = space >>> 16;
    bytes[at + 5] = space >>> 8;
    bytes[at + 6] = space;
    at += 7;
    // A call costs more than the few bytes of most rows.
    if (size <= SHORT) for (let i = 0; i < size; i++) bytes[at + i] = from[start + i] as number;
    else bytes.set(from.subarray(start, end), at);
    this.#length = at + size;
    this.#count += 1;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
