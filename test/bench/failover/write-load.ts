/**
 * Writes employees at a steady rate through one router, whatever happens to the answers, and keeps when each was
 * acknowledged. It never sends a write again: what failed counts as failed.
 */
import { Agent, request } from '../../../runtime/src/foundation/http-client.ts';
import type { LocalCluster } from '../../support/local-cluster.ts';
import { COOKIE } from '../../support/local-instance.ts';

export interface WriteLoadOptions {
  readonly cluster: LocalCluster;
  readonly perSecond: number;
  /** Replica sets, in turn. */
  readonly sets: readonly number[];
  /** Of all its rows, so that they can be listed afterwards; no other load has it. */
  readonly salary: number;
}

export interface Acknowledged {
  readonly id: string;
  readonly set: number;
  readonly atMs: number;
}

const TICK_MS = 2;
/** A tick that came late sends what is due, but not in one burst. */
const PER_TICK_MAX = 50;
const HEADERS = {
  'content-type': 'application/json',
  authorization: `Basic ${Buffer.from(`admin:${COOKIE}`).toString('base64')}`,
};
const ROW = { name: 'Jane Doe', department: 'Delivery', position: 'Developer' };

export class WriteLoad {
  readonly acknowledged: Acknowledged[] = [];
  /** By status; 0 stands for no answer. */
  readonly failed = new Map<number, number>();
  readonly reasons = new Set<string>();
  /** When those were sent that failed. */
  readonly failedSentMs: number[] = [];
  readonly #options: WriteLoadOptions;
  readonly #agent = new Agent({ connections: null, pipelining: 1 });
  readonly #beganMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  #sent = 0;
  #writes = 0;
  #count = 0;

  constructor(options: WriteLoadOptions) {
    this.#options = options;
    // Whoever fails before it is stopped need not wait for it.
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Resolves when every write has its answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    await this.#agent.close();
  }

  #tick(): void {
    const due = ((performance.now() - this.#beganMs) * this.#options.perSecond) / 1000;
    const count = Math.min(PER_TICK_MAX, Math.floor(due) - this.#sent);
    for (let sent = 0; sent < count; sent++) {
      const writing = this.#write();
      this.#open.add(writing);
      void writing.then(() => this.#open.delete(writing));
    }
    this.#sent += Math.max(0, count);
  }

  async #write(): Promise<void> {
    const { sets, salary, cluster } = this.#options;
    const set = sets[this.#writes++ % sets.length] ?? 0;
    const id = this.#nextId(set);
    const sentMs = performance.now();
    const body = JSON.stringify({ employee_id: id, salary, ...ROW });
    try {
      const answer = await request(`http://127.0.0.1:${cluster.router.httpPort}/employee`, {
        ...{ method: 'POST', dispatcher: this.#agent, headers: HEADERS, body },
      });
      const atMs = performance.now();
      const text = await answer.body.text();
      if (answer.statusCode === 201) this.acknowledged.push({ id, set, atMs });
      else this.#fail(sentMs, answer.statusCode, text);
    } catch (error) {
      this.#fail(sentMs, 0, String(error));
    }
  }

  #fail(sentMs: number, status: number, reason: string): void {
    this.failedSentMs.push(sentMs);
    this.failed.set(status, (this.failed.get(status) ?? 0) + 1);
    if (this.reasons.size < 20) this.reasons.add(`${status} ${reason.slice(0, 300)}`);
  }

  #nextId(set: number): string {
    for (;;) {
      const id = `${this.#options.salary}-${this.#count++}`;
      if (this.#options.cluster.setOf(id) === set) return id;
    }
  }
}

/** The longest time without an acknowledgement after a moment, and when it ended. */
export function longestSilence(
  timesMs: readonly number[],
  afterMs: number,
): { readonly ms: number; readonly endedMs: number } {
  let longest = { ms: 0, endedMs: afterMs };
  let lastMs = timesMs.findLast((atMs) => atMs <= afterMs) ?? afterMs;
  for (const atMs of timesMs) {
    if (atMs <= afterMs) continue;
    if (atMs - lastMs > longest.ms) longest = { ms: atMs - lastMs, endedMs: atMs };
    lastMs = atMs;
  }
  return longest;
}
