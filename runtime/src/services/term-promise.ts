/**
 * `promised.json`: which terms this instance has promised and led; a promise is durable before anyone is told.
 *
 * A promised term shuts out rows of lower ones, also after a restart. A row of a term in the log is a promise of that
 * term too, and a term that has a row is never begun again: whoever begins a term, or follows in it, need not write
 * the file before.
 */
import { z } from 'zod';
import { type Seat, seatSchema } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';

const promiseSchema = z.strictObject({
  v: z.literal(1),
  promisedTerm: z.int().min(0),
  /** The last term that this instance began as its leader: it follows nobody in it. */
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
  #onDisk = JSON.stringify(NOTHING);

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
      this.#onDisk = JSON.stringify(this.#record);
    } catch (error) {
      throw new ClusterError('STORAGE_FAILED', {
        cause: error,
        message:
          `${PATH} is damaged. Without it this instance might break a promise and lose rows: ` +
          'bring the file back, or remove the data of this instance so that it joins anew.',
      });
    }
  }

  /** Nothing is written when the file says it already. */
  async save(change: Partial<Omit<PromiseRecord, 'v'>> = {}): Promise<void> {
    const next: PromiseRecord = { ...this.#record, ...change };
    const text = JSON.stringify(next);
    if (text !== this.#onDisk) {
      await this.#disk.writeAtomic(PATH, new TextEncoder().encode(`${text}\n`));
      this.#onDisk = text;
    }
    this.#record = next;
  }

  /** False when this or a higher term was promised before. Whatever was promised is durable then. */
  async promise(term: number): Promise<boolean> {
    const isNew = term > this.#record.promisedTerm;
    await this.save(isNew ? { promisedTerm: term } : {});
    return isNew;
  }

  /** Of this process alone until the log has a row of the term. False when this or a higher one was promised before. */
  expect(term: number): boolean {
    if (term <= this.#record.promisedTerm) return false;
    this.#record = { ...this.#record, promisedTerm: term };
    return true;
  }

  /** False when a higher term was promised, or this one was led already. */
  mayLead(term: number): boolean {
    const { promisedTerm, ledTerm } = this.#record;
    return promisedTerm <= term && ledTerm < term;
  }

  /** Of this process alone, as `expect`. */
  lead(term: number): void {
    this.#record = { ...this.#record, promisedTerm: term, ledTerm: term };
  }

  /** What is known of a term's in-sync members; older news changes nothing. */
  async saveInSync(term: number, seats: readonly Seat[]): Promise<void> {
    if (term < this.#record.inSync.term) return;
    await this.save({ inSync: { term, seats: [...seats] } });
  }
}
