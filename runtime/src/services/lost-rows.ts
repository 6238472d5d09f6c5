/**
 * Rows of deposed leaders that were cut from this log: kept in `lost/<term>.xlog` for people, never read back.
 *
 * No in-sync members have acknowledged them; their leader alone may have, where a space or a request asked for no more.
 * They are stored before they are cut, so that a crash between the two keeps them.
 */
import type { Issue } from '../contract/instance-status.ts';
import {
  type Batch,
  encodeBatch,
  encodeHeader,
  joined,
  validBatches,
} from '../core/storage/log-format.ts';
import type { RowCodec } from '../core/storage/rows.ts';
import type { Disk } from '../ports/disk.ts';

const FOLDER = 'lost';

export class LostRows {
  readonly #disk: Disk;
  readonly #codec: RowCodec;
  readonly #counts = new Map<number, number>();

  constructor(disk: Disk, codec: RowCodec) {
    this.#disk = disk;
    this.#codec = codec;
  }

  async load(): Promise<void> {
    for (const name of await this.#disk.list(FOLDER)) {
      const bytes = await this.#disk.read(`${FOLDER}/${name}`);
      if (bytes === undefined || !name.endsWith('.xlog')) continue;
      const batches = validBatches(bytes);
      this.#counts.set(Number.parseInt(name, 10), this.#count(batches));
    }
  }

  /** Adds to what was kept of the same terms before; rows that change nothing are not worth keeping. */
  async keep(batches: readonly Batch[]): Promise<void> {
    for (const term of new Set(batches.map((batch) => batch.term))) {
      const cut = batches.filter((batch) => batch.term === term);
      if (this.#count(cut) === 0) continue;
      const path = `${FOLDER}/${term}.xlog`;
      const before = validBatches((await this.#disk.read(path)) ?? new Uint8Array());
      const bySequence = new Map([...before, ...cut].map((batch) => [batch.firstSequence, batch]));
      const all = [...bySequence.values()].toSorted((a, b) => a.firstSequence - b.firstSequence);
      await this.#disk.writeAtomic(path, encoded(all));
      this.#counts.set(term, this.#count(all));
    }
  }

  /** Of all terms. */
  get count(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  issues(): readonly Issue[] {
    return [...this.#counts].map(([term, count]) => ({
      level: 'warning',
      topic: 'lost-rows',
      message:
        `${count} rows of term ${term} were never acknowledged by the in-sync members and are not ` +
        `in the data: their leader was deposed. They are kept in ${FOLDER}/${term}.xlog; remove ` +
        'the file when it is not needed.',
    }));
  }

  #count(batches: readonly Batch[]): number {
    return batches
      .flatMap(({ payload }) => this.#codec.decode(payload))
      .filter((row) => row.kind !== 'begin-term').length;
  }
}

function encoded(batches: readonly Batch[]): Uint8Array {
  const first = { sequence: batches[0]?.firstSequence ?? 1, checksum: 0 };
  const parts = [encodeHeader(first)];
  let checksum = 0;
  for (const batch of batches) {
    const result = encodeBatch(batch, checksum, 0);
    ({ checksum } = result);
    parts.push(result.bytes);
  }
  return joined(parts);
}
