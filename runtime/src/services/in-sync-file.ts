/**
 * `in-sync.json`: the newest appointment of its replica set that this instance knows of. When the state provider has
 * forgotten everything, these files decide who may lead.
 */
import { type Appointment, appointmentSchema } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';
import { Exclusive } from './exclusive.ts';

const FILE = 'in-sync.json';

export class InSyncFile {
  readonly #disk: Disk;
  readonly #writes = new Exclusive();
  #last: Appointment | undefined;

  private constructor(disk: Disk, last: Appointment | undefined) {
    this.#disk = disk;
    this.#last = last;
  }

  static async open(disk: Disk): Promise<InSyncFile> {
    const bytes = await disk.read(FILE);
    if (bytes === undefined) return new InSyncFile(disk, undefined);
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return new InSyncFile(disk, appointmentSchema.parse(value));
    } catch (cause) {
      throw new ClusterError('STORAGE_FAILED', {
        message: `${FILE} cannot be read. If its disk is damaged, remove the instance's data and let it join again.`,
        cause,
      });
    }
  }

  get last(): Appointment | undefined {
    return this.#last;
  }

  /** Durable when it resolves. One of a lower term than is stored changes nothing. */
  store(appointment: Appointment): Promise<void> {
    return this.#writes.run(async () => {
      if (this.#last !== undefined && this.#last.term > appointment.term) return;
      const bytes = new TextEncoder().encode(JSON.stringify(appointment));
      await this.#disk.writeAtomic(FILE, bytes);
      this.#last = appointment;
    });
  }
}
