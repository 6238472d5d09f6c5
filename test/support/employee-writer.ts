/**
 * Writes employees without end, and knows what must be there afterwards.
 *
 * The rules by which answers are judged are those that the documentation gives to users: 2xx is acknowledged; 503 did
 * nothing, so the same row is sent again and must not exist; 504 and a broken connection leave the outcome open, so
 * the same row is sent again and 409 then means that it was stored. Anything else is a surprise.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminAnswer } from './admin-request.ts';
import { waitUntil } from './wait-until.ts';

/** An instance that answers requests. */
interface Answering {
  request(method: string, url: string, body?: unknown): Promise<AdminAnswer>;
}

export interface EmployeeWriterOptions {
  readonly cluster: { setOf(id: string): number };
  /** Of all its ids. */
  readonly prefix: string;
  /** Whom it asks; called before each request. */
  readonly through: () => Answering;
  /** Only employees of this storage replica set. */
  readonly set: number;
  /** A thousand salaries from this one on are the writer's own. */
  readonly salaryFrom: number;
}

/** So many rows have one salary: fewer than one listing returns. */
const ROWS_PER_SALARY = 400;
const PAUSE_MS = 10;
const ROW = { name: 'Jane Doe', department: 'Delivery', position: 'Developer' };

export class EmployeeWriter {
  readonly acknowledged: string[] = [];
  readonly surprises: string[] = [];
  /** How often which status was answered; 0 stands for no answer. */
  readonly answers = new Map<number, number>();
  readonly #options: EmployeeWriterOptions;
  readonly #running: Promise<void>;
  #isStopping = false;
  #count = 0;
  #lastMs = performance.now();
  #longestGapMs = 0;

  constructor(options: EmployeeWriterOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** The longest time between two acknowledged writes, until now. */
  get longestGapMs(): number {
    return Math.round(Math.max(this.#longestGapMs, performance.now() - this.#lastMs));
  }

  async acknowledges(more: number): Promise<void> {
    const goal = this.acknowledged.length + more;
    await waitUntil(
      `${more} more writes are acknowledged`,
      () => this.acknowledged.length >= goal,
      60_000,
    );
  }

  /** Resolves when the outcome of the last write is known. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** The ids of all its rows that the cluster has, as a router lists them. */
  async stored(): Promise<readonly string[]> {
    const ids: string[] = [];
    const end = this.#salary + 1;
    for (let salary = this.#options.salaryFrom; salary < end; salary++) {
      const answer = await this.#options.through().request('GET', `/employees?salary=${salary}`);
      if (answer.status !== 200) throw new Error(`listing failed: ${JSON.stringify(answer)}`);
      const rows = answer.body as readonly { employee_id: string; salary: number }[];
      ids.push(...rows.filter((row) => row.salary === salary).map((row) => row.employee_id));
    }
    return ids.toSorted();
  }

  get #salary(): number {
    return this.#options.salaryFrom + Math.floor(this.acknowledged.length / ROWS_PER_SALARY);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      await this.#write(this.#nextId(), this.#salary);
      await sleep(PAUSE_MS);
    }
  }

  async #write(id: string, salary: number): Promise<void> {
    let isOpen = false;
    for (;;) {
      const status = await this.#post({ employee_id: id, salary, ...ROW });
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      if (status === 201 || (status === 409 && isOpen)) {
        this.#acknowledge(id);
        return;
      }
      if (status === 504 || status === 0) isOpen = true;
      else if (status !== 503) {
        this.surprises.push(`${id}: ${status}${isOpen ? ' after an open outcome' : ''}`);
        return;
      }
      await sleep(PAUSE_MS);
    }
  }

  async #post(employee: unknown): Promise<number> {
    try {
      return (await this.#options.through().request('POST', '/employee', employee)).status;
    } catch {
      return 0;
    }
  }

  #acknowledge(id: string): void {
    const nowMs = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.acknowledged.push(id);
  }

  #nextId(): string {
    const { cluster, prefix, set } = this.#options;
    for (;;) {
      const id = `${prefix}-${String(this.#count++).padStart(6, '0')}`;
      if (cluster.setOf(id) === set) return id;
    }
  }
}
