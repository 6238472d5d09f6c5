/** A target under measurement: it is loaded with rows, and knows which keys it has, so that no insert repeats one. */
import { performance } from 'node:perf_hooks';
import type { Client, Load, LoadResult, Operation } from './client.ts';
import type { Target } from './targets/target.ts';

export interface Shape {
  readonly operation: Operation;
  readonly connections: number;
  readonly depth: number;
}

export interface Sample {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server, for a million of these requests. */
  readonly cpuSecondsPerMillion: number;
  readonly clientCpuSeconds: number;
}

/** A server that takes longer to begin with an empty disk will not answer at all. */
const OPEN_PATIENCE_MS = 30_000;
const LOAD_SHAPE = { connections: 16, depth: 64 };
/** So many rows, chosen at random, must be there before a recovery counts as done. */
const ROWS_ASKED = 64;

export class Subject {
  readonly target: Target;
  readonly #client: Client;
  #rows = 0;
  #next = 0;

  constructor(target: Target, client: Client) {
    this.target = target;
    this.#client = client;
  }

  /** Resolves when it has taken its first row. */
  async open(): Promise<void> {
    await this.target.start();
    await this.target.prepare();
    const first: Load = { ...this.#insert, connections: 1, depth: 1, count: 1, next: 0 };
    await this.#client.untilAnswered(this.target.address, first, OPEN_PATIENCE_MS);
    this.#rows = 1;
    this.#next = 1;
  }

  /** Until it has so many rows; gets ask for those. */
  async load(rows: number): Promise<LoadResult> {
    const count = rows - this.#next;
    const load: Load = { ...this.#insert, ...LOAD_SHAPE, count, next: this.#next };
    const result = await this.#client.run(this.target.address, load);
    this.#next = result.next;
    this.#rows = rows;
    return result;
  }

  async measure(shape: Shape, seconds: number): Promise<Sample> {
    const cpuBefore = this.target.cpuSeconds();
    const keys = { keys: this.#rows, next: this.#next };
    const result = await this.#client.run(this.target.address, { ...shape, ...keys, seconds });
    const cpuSeconds = this.target.cpuSeconds() - cpuBefore;
    this.#next = result.next;
    return {
      opsPerSecond: result.opsPerSecond,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      cpuSecondsPerMillion: (cpuSeconds / result.answers) * 1e6,
      clientCpuSeconds: result.clientCpuSeconds,
    };
  }

  /** Killed and started again: seconds from the start of the process until it answers with the right rows. */
  async recover(): Promise<number> {
    await this.target.kill();
    const beganAtMs = performance.now();
    await this.target.start();
    await this.untilRowsAnswer();
    return (performance.now() - beganAtMs) / 1000;
  }

  async untilRowsAnswer(address = this.target.address): Promise<void> {
    const asked = { connections: 1, depth: ROWS_ASKED, count: ROWS_ASKED, keys: this.#rows };
    await this.#client.untilAnswered(address, { operation: this.#get, ...asked });
  }

  async close(): Promise<void> {
    await this.target.kill();
  }

  get #insert(): { readonly operation: Operation } {
    return { operation: this.target.protocol === 'redis' ? 'redis-set' : 'insert' };
  }

  get #get(): Operation {
    return this.target.protocol === 'redis' ? 'redis-get' : 'get';
  }
}
