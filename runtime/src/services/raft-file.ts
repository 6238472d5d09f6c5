/**
 * `raft.json`: whom this instance has voted for, and whether its log is sound; durable before anyone is told.
 *
 * Without it an instance might vote twice in a term, or too early for the lease of a leader that it has heard.
 */
import { z } from 'zod';
import { uuidSchema } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';
import { Exclusive } from './exclusive.ts';

const raftSchema = z.strictObject({
  v: z.literal(1),
  /** The last term in which it has voted. */
  term: z.int().min(0),
  votedFor: uuidSchema.nullable(),
  /** The `logIncarnation` with which the log was caught up under a leader of mode `raft`; 0 for none. */
  soundIncarnation: z.int().min(0),
  /** For how long after a start it votes for nobody: what the last leader has asked for. */
  quietMs: z.number().min(0),
});
export type RaftRecord = Readonly<z.infer<typeof raftSchema>>;

const FILE = 'raft.json';
const NOTHING: RaftRecord = { v: 1, term: 0, votedFor: null, soundIncarnation: 0, quietMs: 0 };

export class RaftFile {
  readonly #disk: Disk;
  readonly #writes = new Exclusive();
  #record: RaftRecord;

  private constructor(disk: Disk, record: RaftRecord) {
    this.#disk = disk;
    this.#record = record;
  }

  static async open(disk: Disk): Promise<RaftFile> {
    const bytes = await disk.read(FILE);
    if (bytes === undefined) return new RaftFile(disk, NOTHING);
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return new RaftFile(disk, raftSchema.parse(value));
    } catch (cause) {
      throw new ClusterError('STORAGE_FAILED', {
        message: `${FILE} cannot be read. If its disk is damaged, remove the instance's data and let it join again.`,
        cause,
      });
    }
  }

  /** What is durable. */
  get record(): RaftRecord {
    return this.#record;
  }

  /** Durable when it resolves. Nothing is written when nothing changes. */
  save(change: Partial<Omit<RaftRecord, 'v'>>): Promise<void> {
    return this.#writes.run(async () => {
      const next: RaftRecord = { ...this.#record, ...change };
      if (JSON.stringify(next) === JSON.stringify(this.#record)) return;
      await this.#disk.writeAtomic(FILE, new TextEncoder().encode(`${JSON.stringify(next)}\n`));
      this.#record = next;
    });
  }
}
