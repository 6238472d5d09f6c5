/**
 * How much memory rows and their indexes may take (`memtx_memory`), and how much they take now.
 *
 * It is asked before a write begins, so that none stops half way; the few pages that one write may need beyond are
 * within the reserve. Deletes, replication and recovery do not ask.
 */
import { ClusterError } from '../../errors.ts';
import { errorNumber } from '../../iproto/error-numbers.ts';

/** One part of this many of the limit is kept for what does not ask. */
const RESERVE_PART = 32;

export class MemoryBudget {
  readonly limitBytes: number;
  readonly #openBytes: number;
  #usedBytes = 0;

  constructor(limitBytes = Number.POSITIVE_INFINITY) {
    this.limitBytes = limitBytes;
    this.#openBytes = limitBytes - limitBytes / RESERVE_PART;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#openBytes || this.limitBytes === Infinity;
  }

  refuse(space: string): never {
    throw new ClusterError('MEMORY_FULL', {
      message:
        `Nothing was written to "${space}": rows and indexes take ${this.#usedBytes} of the ` +
        `${this.limitBytes} bytes that "memtx_memory" allows. Delete rows, raise the option, or ` +
        'add replica sets. Deletes are still accepted.',
      protocolNumber: errorNumber.MEMORY_ISSUE,
    });
  }
}
