/**
 * Tuples in the order of an index: a row of sorted chunks, each at most 512 long.
 *
 * A chunk is found by binary search over the chunks, a place by binary search within one; an insertion moves at
 * most one chunk. Chunks are never empty, so the ends of each can be compared.
 */
import type { Tuple } from '../schema/values.ts';

const CHUNK = 512;

/** Where a tuple stands against what is looked for: negative before, zero at, positive after. */
export type Probe = (tuple: Tuple) => number;

export interface Place {
  readonly chunk: number;
  readonly offset: number;
}

export class SortedTuples {
  readonly #compare: (a: Tuple, b: Tuple) => number;
  readonly #chunks: Tuple[][] = [];
  #size = 0;

  constructor(compare: (a: Tuple, b: Tuple) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  /** The tuple that is equal in this order, if there is one. */
  find(wanted: Tuple): Tuple | undefined {
    const found = this.at(this.lowerBound((tuple) => this.#compare(tuple, wanted)));
    return found !== undefined && this.#compare(found, wanted) === 0 ? found : undefined;
  }

  /** Adds a tuple that is not equal to any here. */
  add(tuple: Tuple): void {
    this.#size++;
    const place = this.lowerBound((other) => this.#compare(other, tuple));
    // Past the end: the last chunk grows, rather than a new one for each tuple in ascending order.
    const chunkIndex = Math.min(place.chunk, this.#chunks.length - 1);
    const chunk = this.#chunks[chunkIndex];
    if (chunk === undefined) {
      this.#chunks.push([tuple]);
      return;
    }
    chunk.splice(chunkIndex === place.chunk ? place.offset : chunk.length, 0, tuple);
    if (chunk.length > CHUNK) this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(CHUNK / 2));
  }

  /** Takes out the tuple that is equal in this order. */
  remove(tuple: Tuple): void {
    const place = this.lowerBound((other) => this.#compare(other, tuple));
    const chunk = this.#chunks[place.chunk];
    const found = chunk?.[place.offset];
    if (chunk === undefined || found === undefined || this.#compare(found, tuple) !== 0) return;
    this.#size--;
    chunk.splice(place.offset, 1);
    if (chunk.length === 0) this.#chunks.splice(place.chunk, 1);
  }

  at(place: Place): Tuple | undefined {
    return this.#chunks[place.chunk]?.[place.offset];
  }

  /** The first place at or after what the probe looks for. */
  lowerBound(probe: Probe): Place {
    return this.#bound((tuple) => probe(tuple) < 0);
  }

  /** The first place after what the probe looks for. */
  upperBound(probe: Probe): Place {
    return this.#bound((tuple) => probe(tuple) <= 0);
  }

  start(): Place {
    return { chunk: 0, offset: 0 };
  }

  end(): Place {
    return { chunk: this.#chunks.length, offset: 0 };
  }

  /** From `place` to the end. */
  *forward(place: Place): Generator<Tuple> {
    for (let index = place.chunk; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] ?? [];
      yield* index === place.chunk ? chunk.slice(place.offset) : chunk;
    }
  }

  /** From before `place` to the beginning. */
  *backward(place: Place): Generator<Tuple> {
    for (let index = Math.min(place.chunk, this.#chunks.length - 1); index >= 0; index--) {
      const chunk = this.#chunks[index] ?? [];
      yield* (index === place.chunk ? chunk.slice(0, place.offset) : chunk).toReversed();
    }
  }

  #bound(before: (tuple: Tuple) => boolean): Place {
    const chunk = firstFalse(this.#chunks.length, (index) => {
      const last = this.#chunks[index]?.at(-1);
      return last !== undefined && before(last);
    });
    const tuples = this.#chunks[chunk] ?? [];
    const offset = firstFalse(tuples.length, (index) => {
      const tuple = tuples[index];
      return tuple !== undefined && before(tuple);
    });
    return { chunk, offset };
  }
}

/** The first index below `length` for which `holds` is false, if it holds for a beginning only. */
function firstFalse(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
