/**
 * Writes employees at a steady rate, whatever happens to the answers, and keeps when each was acknowledged. It never
 * sends a write again: what failed counts as failed.
 */
export interface Acknowledged {
  readonly id: string;
  readonly set: number;
  readonly atMs: number;
}

export interface Employee {
  readonly employee_id: string;
  readonly salary: number;
  readonly name: string;
  readonly department: string;
  readonly position: string;
}

export interface Outcome {
  /** 201 when it was acknowledged; 0 stands for no answer. */
  readonly status: number;
  readonly reason: string;
}

export interface SteadyWritesOptions {
  readonly perSecond: number;
  /** Written by one call, of the bucket of the first; 1 without it. */
  readonly rowsPerCall?: number;
  /** Replica sets, in turn. */
  readonly sets: readonly number[];
  /** Of all its rows, so that they can be listed afterwards; no other load has it. */
  readonly salary: number;
  readonly setOf: (id: string) => number;
  /** Of one call: all of its rows, or none. */
  readonly write: (employees: readonly Employee[]) => Promise<Outcome>;
}

const CREATED = 201;
const TICK_MS = 2;
/** A tick that came late sends what is due, but not in one burst. */
const PER_TICK_MAX = 50;
const ROW = { name: 'Jane Doe', department: 'Delivery', position: 'Developer' };

export class SteadyWrites {
  readonly acknowledged: Acknowledged[] = [];
  /** By status. */
  readonly failed = new Map<number, number>();
  readonly reasons = new Set<string>();
  /** When calls were sent that failed. */
  readonly failedSentMs: number[] = [];
  readonly #options: SteadyWritesOptions;
  readonly #rowsPerCall: number;
  readonly #beganMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  #sent = 0;
  #writes = 0;
  #count = 0;
  #ranMs = 0;

  constructor(options: SteadyWritesOptions) {
    this.#options = options;
    this.#rowsPerCall = options.rowsPerCall ?? 1;
    // Whoever fails before it is stopped need not wait for it.
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Until the last answer: of a load that could not be held it is longer than the load was sent. */
  get ranMs(): number {
    return this.#ranMs;
  }

  /** Resolves when every write has its answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#ranMs = performance.now() - this.#beganMs;
  }

  #tick(): void {
    const perMs = this.#options.perSecond / this.#rowsPerCall / 1000;
    const due = Math.floor((performance.now() - this.#beganMs) * perMs);
    const count = Math.min(PER_TICK_MAX, due - this.#sent);
    for (let sent = 0; sent < count; sent++) {
      const writing = this.#write();
      this.#open.add(writing);
      void writing.then(() => this.#open.delete(writing));
    }
    this.#sent += Math.max(0, count);
  }

  async #write(): Promise<void> {
    const { sets, salary, write } = this.#options;
    const set = sets[this.#writes++ % sets.length] ?? 0;
    const ids = Array.from({ length: this.#rowsPerCall }, () => this.#nextId(set));
    const sentMs = performance.now();
    const { status, reason } = await write(ids.map((id) => ({ employee_id: id, salary, ...ROW })));
    if (status === CREATED) {
      const atMs = performance.now();
      for (const id of ids) this.acknowledged.push({ id, set, atMs });
      return;
    }
    this.failedSentMs.push(sentMs);
    this.failed.set(status, (this.failed.get(status) ?? 0) + ids.length);
    if (this.reasons.size < 20) this.reasons.add(`${status} ${reason.slice(0, 300)}`);
  }

  #nextId(set: number): string {
    for (;;) {
      const id = `${this.#options.salary}-${this.#count++}`;
      if (this.#options.setOf(id) === set) return id;
    }
  }
}
