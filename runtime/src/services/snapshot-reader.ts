/** Reads all of a snapshot in pieces, and says where it stops being right. */
import type { Position } from '../contract/instance-status.ts';
import type { TermRun } from '../core/replication/term-history.ts';
import {
  partLength,
  readPart,
  readSnapshotHeader,
  snapshotHeaderLength,
} from '../core/storage/snapshot-format.ts';
import type { Disk } from '../ports/disk.ts';

export interface SnapshotFault {
  readonly offset: number;
  readonly reason: string;
}

export interface WholeSnapshot {
  readonly start: Position;
  readonly runs: readonly TermRun[];
  readonly end: Position;
  readonly blocks: number;
  readonly rowCount: number;
  readonly bytes: number;
}

export type SnapshotReading =
  | { readonly kind: 'whole'; readonly snapshot: WholeSnapshot }
  | { readonly kind: 'faulty'; readonly fault: SnapshotFault };

export interface ReadSnapshotOptions {
  /** Called with each block's payload; it may come before a fault is found. */
  readonly onBlock?: (payload: Uint8Array, rowCount: number) => void;
  readonly chunkBytes?: number;
}

/** What is used between two reads: others wait for so long. */
const CHUNK_BYTES = 256 * 1024;

export async function readSnapshot(
  disk: Disk,
  path: string,
  options: ReadSnapshotOptions = {},
): Promise<SnapshotReading> {
  return new Reading(disk, path, options).run();
}

class Reading {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #onBlock: (payload: Uint8Array, rowCount: number) => void;
  readonly #chunkBytes: number;
  /** What was read and not used yet, and where in the file it begins. */
  #bytes: Uint8Array = new Uint8Array();
  #offset = 0;
  #size = 0;
  /** The chunk that is wanted next, read while those before it are used. */
  #ahead: { readonly at: number; readonly chunk: Promise<Uint8Array | undefined> } | undefined;
  #rowCount = 0;
  #blocks = 0;

  constructor(disk: Disk, path: string, { onBlock, chunkBytes }: ReadSnapshotOptions) {
    this.#disk = disk;
    this.#path = path;
    this.#onBlock = onBlock ?? (() => undefined);
    this.#chunkBytes = chunkBytes ?? CHUNK_BYTES;
  }

  async run(): Promise<SnapshotReading> {
    this.#size = (await this.#disk.size(this.#path)) ?? 0;
    await this.#fill(16);
    await this.#fill(snapshotHeaderLength(this.#bytes) ?? 0);
    const header = readSnapshotHeader(this.#bytes);
    if (header?.part.kind !== 'header') return this.#fault('the header is damaged');
    const { start, runs } = header.part;
    this.#use(header.end);
    let { checksum } = header;
    for (;;) {
      await this.#fill(24);
      await this.#fill(partLength(this.#bytes, 0) ?? 0);
      const found = readPart(this.#bytes, 0, checksum);
      if (found === undefined) return this.#fault('no whole block');
      ({ checksum } = found);
      const { part } = found;
      if (part.kind === 'end') {
        if (part.rowCount !== this.#rowCount) return this.#fault('its end counts other rows');
        this.#use(found.end);
        return this.#finish({ start, runs, end: part.position });
      }
      if (part.kind === 'block') {
        this.#onBlock(part.payload, part.rowCount);
        this.#rowCount += part.rowCount;
        this.#blocks++;
      }
      this.#use(found.end);
    }
  }

  async #finish(found: Pick<WholeSnapshot, 'start' | 'runs' | 'end'>): Promise<SnapshotReading> {
    await this.#fill(1);
    if (this.#bytes.length > 0) return this.#fault('something follows its end');
    const counts = { blocks: this.#blocks, rowCount: this.#rowCount, bytes: this.#offset };
    return { kind: 'whole', snapshot: { ...found, ...counts } };
  }

  /** Reads on until there are so many bytes, or the file ends. */
  async #fill(wanted: number): Promise<void> {
    if (this.#bytes.length >= wanted) return;
    const at = this.#offset + this.#bytes.length;
    const chunk = await this.#readAhead(at, wanted - this.#bytes.length);
    if (chunk === undefined) return;
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
  }

  /** What stands there, at least so many bytes unless the file ends; what follows it is on its way. */
  async #readAhead(at: number, wanted: number): Promise<Uint8Array | undefined> {
    const isAhead = this.#ahead?.at === at && wanted <= this.#chunkBytes;
    const chunk = await (isAhead ? this.#ahead?.chunk : this.#readChunk(at, wanted));
    const next = at + (chunk?.length ?? 0);
    const ahead = this.#readChunk(next, this.#chunkBytes);
    // Whether it is wanted at all is not known: only who asks for it is told that it failed.
    ahead.catch(() => undefined);
    this.#ahead = { at: next, chunk: ahead };
    return chunk;
  }

  async #readChunk(at: number, wanted: number): Promise<Uint8Array | undefined> {
    // What a damaged length says may be far beyond the end.
    const length = Math.min(Math.max(this.#chunkBytes, wanted), this.#size - at);
    return length <= 0 ? undefined : this.#disk.readPart(this.#path, at, length);
  }

  #use(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
    this.#offset += length;
  }

  #fault(reason: string): SnapshotReading {
    return { kind: 'faulty', fault: { offset: this.#offset, reason } };
  }
}
