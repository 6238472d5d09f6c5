/** What the main loop and the thread that renews a lease share. */
import type { MessagePort } from 'node:worker_threads';
import type { StateProviderConfig } from '../contract/cluster-config.ts';
import type { RenewalTarget } from '../ports/lease-renewals.ts';

export interface ThreadData {
  readonly target: RenewalTarget;
  readonly provider: StateProviderConfig;
  readonly memory: SharedArrayBuffer;
  /** The hold comes to the thread, and its news go to the main loop. */
  readonly port: MessagePort;
  /** What the main loop's clock shows when the one that both have, `process.hrtime`, shows 0. */
  readonly clockStartMs: number;
}

const PERMITTED_AT = 0;
const PUBLISHED_AT = 2;
const STOPPED_AT = 3;
const BYTES = 16;

/** A few words of memory: written by one side, seen by the other at once, whatever either is doing. */
export class ThreadMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #times: BigInt64Array;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#times = new BigInt64Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  /** How many news there were. */
  get published(): number {
    return Atomics.load(this.#words, PUBLISHED_AT);
  }

  countNews(): void {
    Atomics.add(this.#words, PUBLISHED_AT, 1);
  }

  /** -Infinity once it was stopped. */
  get permittedUntilMs(): number {
    if (Atomics.load(this.#words, STOPPED_AT) !== 0) return Number.NEGATIVE_INFINITY;
    return Number(Atomics.load(this.#times, PERMITTED_AT)) / 1000;
  }

  permit(untilMs: number): void {
    Atomics.store(this.#times, PERMITTED_AT, BigInt(Math.floor(untilMs * 1000)));
  }

  stop(): void {
    Atomics.store(this.#words, STOPPED_AT, 1);
  }
}
