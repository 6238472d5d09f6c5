/**
 * Asks every instance all the time whether it is a writable leader, and finds two of one replica set.
 *
 * An instance that says it is writable in a term, to a question asked after another one was writable in a higher
 * term, was writable at the same time as that one. Questions that overlap prove nothing and are not counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceStatus } from '@tonearm/runtime/contract';

interface Watched {
  readonly name: string;
  status(timeoutMs: number): Promise<InstanceStatus>;
}

export interface Leadership {
  readonly name: string;
  readonly set: string;
  readonly term: number;
  readonly answeredMs: number;
}

const EVERY_MS = 40;

export class LeaderWatch {
  readonly violations: string[] = [];
  /** Answers of writable leaders. */
  seen = 0;
  readonly #ended = new AbortController();
  readonly #loops: Promise<unknown>;
  /** Per replica set, the first answer of a leader in the highest term. */
  readonly #highest = new Map<string, Leadership>();
  readonly #leaders = new Map<string, string>();

  constructor(cluster: { readonly instances: readonly Watched[] }) {
    this.#loops = Promise.all(cluster.instances.map((instance) => this.#follow(instance)));
  }

  /** Of a replica set, the first answer of a leader in the highest term. */
  highest(set: string): Leadership | undefined {
    return this.#highest.get(set);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#loops;
  }

  async #follow(instance: Watched): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const askedMs = performance.now();
      const status = await instance.status(2000).catch(() => undefined);
      const view = status?.replicaSet;
      if (view?.writable === true) {
        const { uuid: set, term } = view;
        this.#judge({ name: instance.name, set, term, answeredMs: performance.now() }, askedMs);
      }
      await sleep(EVERY_MS);
    }
  }

  #judge(leadership: Leadership, askedMs: number): void {
    const { name, set, term } = leadership;
    this.seen += 1;
    const key = `${set} ${term}`;
    const known = this.#leaders.get(key) ?? name;
    this.#leaders.set(key, known);
    if (known !== name)
      this.violations.push(`${known} and ${name} both led ${set} in term ${term}`);
    const highest = this.#highest.get(set);
    if (highest !== undefined && highest.term > term && highest.answeredMs < askedMs) {
      this.violations.push(
        `${name} was writable in term ${term} of ${set} after ${highest.name} was in ${highest.term}`,
      );
    }
    if (highest === undefined || highest.term < term) this.#highest.set(set, leadership);
  }
}
