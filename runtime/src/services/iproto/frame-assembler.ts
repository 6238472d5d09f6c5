/**
 * Keeps the beginning of a frame until the rest has come, and whole frames while nothing is to be read.
 *
 * Memory grows only with what has really come, never with what a length promises.
 */
import { frameLength, lengthSize } from '../../core/iproto/request.ts';

const FIRST_CAPACITY = 4096;

export class FrameAssembler {
  #bytes = new Uint8Array(0);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#length + end - start;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(FIRST_CAPACITY, needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = needed;
  }

  /** Takes no more than completes the first frame: where the bytes behind it begin. */
  complete(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (;;) {
      const missing = this.#missing();
      if (missing <= 0 || at === end) return at;
      const next = Math.min(end, at + missing);
      this.append(bytes, at, next);
      at = next;
    }
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    if (count === this.#length) {
      this.clear();
      return;
    }
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
  }

  /** Bytes up to the end of the first frame, as far as is known; 0 where its length is none. */
  #missing(): number {
    if (this.#length === 0) return 1;
    const size = lengthSize(this.#bytes[0] ?? 0);
    const length = frameLength(this.#bytes, 0, this.#length);
    if (length === -2) return 0;
    return (length < 0 ? size : size + length) - this.#length;
  }
}
