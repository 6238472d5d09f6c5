/**
 * Memory for rows and indexes, touched before it is needed.
 *
 * The kernel gives memory when it is touched first, and a huge page may take milliseconds. So somebody else touches
 * it, by filling it with the zeros that are there anyway; and nobody is given a buffer while that goes on, or rows
 * would be overwritten.
 */

/** Fills it with zeros beside the main thread, then calls `done`, however that went. */
export type PrepareMemory = (bytes: Uint8Array, done: () => void) => void;

export class SpareBuffers {
  readonly prepare: PrepareMemory | undefined;
  readonly #ready = new Map<number, SharedArrayBuffer>();
  readonly #coming = new Set<number>();

  constructor(prepare?: PrepareMemory) {
    this.prepare = prepare;
  }

  /** A buffer of zeros: the spare one of this size, in the place of which another is made ready. */
  take(byteLength: number): SharedArrayBuffer {
    const ready = this.#ready.get(byteLength);
    this.#ready.delete(byteLength);
    this.#order(byteLength);
    return ready ?? new SharedArrayBuffer(byteLength);
  }

  #order(byteLength: number): void {
    if (this.prepare === undefined || this.#coming.has(byteLength)) return;
    const buffer = new SharedArrayBuffer(byteLength);
    this.#coming.add(byteLength);
    this.prepare(new Uint8Array(buffer), () => {
      this.#coming.delete(byteLength);
      this.#ready.set(byteLength, buffer);
    });
  }
}
