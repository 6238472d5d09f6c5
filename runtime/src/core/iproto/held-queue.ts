/**
 * Replies of one connection that wait for their rows to be acknowledged: encoded already, one behind another.
 *
 * They leave in the order in which they came. A reply behind one that waits for a later row waits for that as well,
 * so those that may leave are always the first ones, and no reply leaves before its row is acknowledged.
 */
import { MsgpackWriter } from '../msgpack/encode.ts';

const FIRST_CAPACITY = 32;
const FIRST_BYTES = 1024;
/** Room that is worth being moved to the front of the buffer. */
const COMPACT_AT = 64 * 1024;
const LARGEST_KEPT = 1024 * 1024;

export class HeldQueue {
  /** Replies are written to its end, then added. */
  writer = new MsgpackWriter(FIRST_BYTES);
  #numbers = new Float64Array(FIRST_CAPACITY);
  #ends = new Float64Array(FIRST_CAPACITY);
  #writes = new Uint8Array(FIRST_CAPACITY);
  #first = 0;
  #behind = 0;
  /** Where the first reply begins. */
  #start = 0;

  get count(): number {
    return this.#behind - this.#first;
  }

  get byteLength(): number {
    return this.writer.length - this.#start;
  }

  /** Where what was written since the last call of `add` begins. */
  get unaddedAt(): number {
    return this.count === 0 ? this.#start : (this.#ends[this.#behind - 1] as number);
  }

  /** Holds what was written since the last call until `number` is acknowledged. */
  add(number: number, isWrite: boolean): void {
    if (this.#behind === this.#numbers.length) this.#makeRoom();
    const last = this.count === 0 ? 0 : (this.#numbers[this.#behind - 1] as number);
    this.#numbers[this.#behind] = Math.max(number, last);
    this.#ends[this.#behind] = this.writer.length;
    this.#writes[this.#behind] = isWrite ? 1 : 0;
    this.#behind += 1;
  }

  /** Moves to `out` what waits for a row up to `acknowledged`. */
  settle(acknowledged: number, out: MsgpackWriter): void {
    let first = this.#first;
    while (first < this.#behind && (this.#numbers[first] as number) <= acknowledged) first += 1;
    if (first === this.#first) return;
    const end = this.#ends[first - 1] as number;
    out.raw(this.writer.bytes, this.#start, end);
    this.#drop(first, end);
  }

  /** Takes out what waits for a row up to `upTo`; `failed` is told where each reply begins, in `writer`. */
  fail(upTo: number, failed: (start: number, isWrite: boolean) => void): void {
    let first = this.#first;
    let start = this.#start;
    for (; first < this.#behind && (this.#numbers[first] as number) <= upTo; first += 1) {
      failed(start, this.#writes[first] === 1);
      start = this.#ends[first] as number;
    }
    if (first > this.#first) this.#drop(first, start);
  }

  #drop(first: number, end: number): void {
    this.#first = first;
    this.#start = end;
    if (first < this.#behind) {
      if (end > COMPACT_AT && 2 * end > this.writer.length) this.#compactBytes();
      return;
    }
    this.#first = this.#behind = this.#start = 0;
    this.writer.length = 0;
    if (this.writer.bytes.length > LARGEST_KEPT) this.writer = new MsgpackWriter(FIRST_BYTES);
  }

  #compactBytes(): void {
    const { writer } = this;
    writer.bytes.copyWithin(0, this.#start, writer.length);
    writer.length -= this.#start;
    for (let index = this.#first; index < this.#behind; index++) {
      this.#ends[index] = (this.#ends[index] as number) - this.#start;
    }
    this.#start = 0;
  }

  #makeRoom(): void {
    const count = this.count;
    const capacity = 2 * count > this.#numbers.length ? 2 * this.#numbers.length : undefined;
    this.#numbers = moved(
      this.#numbers,
      this.#first,
      new Float64Array(capacity ?? this.#numbers.length),
    );
    this.#ends = moved(this.#ends, this.#first, new Float64Array(this.#numbers.length));
    this.#writes = moved(this.#writes, this.#first, new Uint8Array(this.#numbers.length));
    this.#first = 0;
    this.#behind = count;
  }
}

function moved<T extends Float64Array | Uint8Array>(from: T, first: number, to: T): T {
  to.set(from.subarray(first));
  return to;
}
