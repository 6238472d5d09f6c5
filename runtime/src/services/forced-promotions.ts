/**
 * `lost/forced-<term>.json`: that acknowledged rows were given up by a forced promotion, kept by every instance of the
 * set that learns of it, and shown as an issue until somebody removes the file.
 */
import { z } from 'zod';
import type { Issue } from '../contract/instance-status.ts';
import { type Appointment, appointmentSchema } from '../contract/provider-records.ts';
import type { Disk } from '../ports/disk.ts';

const recordSchema = z.strictObject({
  v: z.literal(1),
  leader: z.string(),
  forced: appointmentSchema.shape.forced.unwrap(),
});
type ForcedRecord = z.infer<typeof recordSchema>;

const FOLDER = 'lost';
const NAME = /^forced-\d+\.json$/;

export class ForcedPromotions {
  readonly #disk: Disk;
  #records: readonly ForcedRecord[] = [];

  private constructor(disk: Disk) {
    this.#disk = disk;
  }

  static async open(disk: Disk): Promise<ForcedPromotions> {
    const opened = new ForcedPromotions(disk);
    const names = (await disk.list(FOLDER)).filter((name) => NAME.test(name));
    for (const name of names) {
      const bytes = await disk.read(`${FOLDER}/${name}`);
      const text = new TextDecoder().decode(bytes);
      opened.#records = [...opened.#records, recordSchema.parse(JSON.parse(text))];
    }
    return opened;
  }

  async learn({ leader, forced }: Appointment): Promise<void> {
    if (forced === undefined) return;
    if (this.#records.some((record) => record.forced.term === forced.term)) return;
    const record: ForcedRecord = { v: 1, leader, forced };
    this.#records = [...this.#records, record];
    const bytes = new TextEncoder().encode(JSON.stringify(record));
    await this.#disk.writeAtomic(`${FOLDER}/forced-${forced.term}.json`, bytes);
  }

  issues(): readonly Issue[] {
    return this.#records.map(({ leader, forced }) => ({
      level: 'critical',
      topic: 'forced-promotion',
      message:
        `${lossOf(forced)} given up when ${leader} was made the leader of term ${forced.term} by force ` +
        `(${forced.command}), without ${forced.missing.join(', ')}. Where these come back, their rows go to ` +
        `${FOLDER}/. Remove ${FOLDER}/forced-${forced.term}.json and restart when this is dealt with.`,
    }));
  }
}

function lossOf({ rowsLost }: ForcedRecord['forced']): string {
  if (rowsLost === undefined) return 'Acknowledged rows, nobody knows how many, were';
  return `At least ${rowsLost} acknowledged rows were`;
}
