/** The end of the log in memory, for followers that keep up. At least the last batch is there. */
import { type Batch, lastSequence } from '../core/storage/log-format.ts';

export class RecentBatches {
  readonly #maxBytes: number;
  #batches: Batch[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
    this.#bytes += batch.payload.length;
    while (this.#bytes > this.#maxBytes && this.#batches.length > 1) {
      this.#bytes -= this.#batches.shift()?.payload.length ?? 0;
    }
  }

  /** Those with rows behind `sequence`; undefined when some of them may not be here any more. */
  behind(sequence: number, maxBytes: number): readonly Batch[] | undefined {
    const oldest = this.#batches[0];
    if (oldest === undefined || oldest.firstSequence > sequence + 1) return undefined;
    return batchesBehind(this.#batches, sequence, maxBytes);
  }

  /** Forgets all rows behind `sequence`. */
  truncate(sequence: number): void {
    this.#batches = this.#batches.filter((batch) => lastSequence(batch) <= sequence);
    this.#bytes = this.#batches.reduce((sum, batch) => sum + batch.payload.length, 0);
  }
}

/** Batches in order with rows behind `sequence`: up to `maxBytes` of them, at least one if there is any. */
export function batchesBehind<T extends Batch>(
  batches: readonly T[],
  sequence: number,
  maxBytes: number,
): readonly T[] {
  const first = firstBehind(batches, sequence);
  let bytes = 0;
  let end = first;
  while (end < batches.length) {
    bytes += batches[end]?.payload.length ?? 0;
    if (bytes > maxBytes && end > first) break;
    end++;
  }
  return batches.slice(first, end);
}

/** Index of the first batch with a row behind `sequence`. */
function firstBehind(batches: readonly Batch[], sequence: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const batch = batches[middle];
    if (batch !== undefined && lastSequence(batch) <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
