/** A map of bytes in the order of its keys, larger than memory: what the engine `disk` asks of a database. */

export interface OrderedRange {
  readonly from: Uint8Array;
  /** The first key that is not in it any more. */
  readonly to: Uint8Array;
  readonly isDownward?: boolean;
}

export interface OrderedStore {
  /** Longer keys cannot be put. */
  readonly keyBytesMax: number;
  get(key: Uint8Array): Uint8Array | undefined;
  /** Visits the entries of a range until `visit` gives false; it must not change anything. */
  walk(range: OrderedRange, visit: (key: Uint8Array, value: Uint8Array) => boolean): void;
  /** Does all that `work` puts and removes, or nothing when it throws. Reads within see what was put before. */
  change(work: () => void): void;
  /** Only within `change`. */
  put(key: Uint8Array, value: Uint8Array): void;
  /** Only within `change`. */
  remove(key: Uint8Array): void;
}
