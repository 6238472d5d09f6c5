/**
 * `promised.json`: which terms this instance has promised and led, durable before anyone is told.
 *
 * A promised term shuts out rows of lower ones, also after a restart. A led term is never begun again: its rows
 * might be counted twice with different content.
 */
import { z } from 'zod';
import { type Seat, seatSchema } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';

const promiseSchema = z.strictObject({
  v: z.literal(1),
  promisedTerm: z.int().min(0),
  /** The last term that this instance began as its leader. */
  ledTerm: z.int().min(0),
  /** The in-sync members last known, and in which term: what decides when the state provider has forgotten. */
  inSync: z.strictObject({ term: z.int().min(0), seats: z.array(seatSchema) }),
  /** That of the last start: tells whether the end of the log can be missing at the next. */
  logIncarnation: z.int().min(0),
});
export type PromiseRecord = Readonly<z.infer<typeof promiseSchema>>;

const PATH = 'promised.json';

const NOTHING: PromiseRecord = {
  v: 1,
  promisedTerm: 0,
  ledTerm: 0,
  inSync: { term: 0, seats: [] },
  logIncarnation: 0,
};

export class TermPromise {
  readonly #disk: Disk;
  #record = NOTHING;
  /** `ledTerm`, when this process has stored it and may begin it. */
  #reserved: number | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get record(): PromiseRecord {
    return this.#record;
  }

  async load(): Promise<void> {
    const bytes = await this.#disk.read(PATH);
    if (bytes === undefined) return;
    try {
      this.#record = promiseSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    } catch (error) {
      throw new ClusterError('STORAGE_FAILED', {
        cause: error,
        message:
          `${PATH} is damaged. Without it this instance might break a promise and lose rows: ` +
          'bring the file back, or remove the data of this instance so that it joins anew.',
      });
    }
  }

  /** Nothing is written when nothing changes. */
  async save(change: Partial<Omit<PromiseRecord, 'v'>>): Promise<void> {
    const next: PromiseRecord = { ...this.#record, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#record)) return;
    await this.#disk.writeAtomic(PATH, new TextEncoder().encode(`${JSON.stringify(next)}\n`));
    this.#record = next;
  }

  /** False when this or a higher term was promised before. */
  async promise(term: number): Promise<boolean> {
    if (term <= this.#record.promisedTerm) return false;
    await this.save({ promisedTerm: term });
    return true;
  }

  /** False when another term was promised, or this one was led already: perhaps by an earlier process. */
  mayBegin(term: number): boolean {
    const { promisedTerm, ledTerm } = this.#record;
    return promisedTerm <= term && (ledTerm < term || this.#reserved === term);
  }

  /** From then on this process alone may begin the term. */
  async reserve(term: number): Promise<void> {
    if (!this.mayBegin(term)) return;
    await this.save({ promisedTerm: term, ledTerm: term });
    this.#reserved = term;
  }

  /** What is known of a term's in-sync members; older news changes nothing. */
  async saveInSync(term: number, seats: readonly Seat[]): Promise<void> {
    if (term < this.#record.inSync.term) return;
    await this.save({ inSync: { term, seats: [...seats] } });
  }
}
