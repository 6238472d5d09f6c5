/**
 * The snapshots on this instance's disk: `snapshot/<sequence of the start>.snap`.
 *
 * A snapshot is written in another folder and moved when it is whole and durable, so that whatever is here was whole
 * once. One that cannot be read any more is renamed to `.damaged`, and kept for people.
 */
import type { Position } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import type { TermRun } from '../core/replication/term-history.ts';
import {
  type EncodedPart,
  encodeBlock,
  encodeSnapshotEnd,
  encodeSnapshotHeader,
  otherSnapshotVersion,
  readPart,
  readSnapshotHeader,
  SNAPSHOT_END_BYTES,
  SNAPSHOT_HEADER_START,
  SNAPSHOT_VERSION,
  type SnapshotPart,
  snapshotHeaderLength,
} from '../core/storage/snapshot-format.ts';
import type { AppendFile, Disk } from '../ports/disk.ts';

export const SNAPSHOT_FOLDER = 'snapshot';
const SUFFIX = '.snap';
/** Apart, so that the folder of the others can be moved while one is written. */
const WRITING_FOLDER = 'snapshot-writing';
const DAMAGED_SUFFIX = '.damaged';

export interface SnapshotInfo {
  readonly name: string;
  readonly path: string;
  readonly start: Position;
  /** The terms of all rows up to the start. */
  readonly runs: readonly TermRun[];
  readonly end: Position;
  readonly bytes: number;
}

export function snapshotName(start: Position): string {
  return `${String(start.sequence).padStart(16, '0')}${SUFFIX}`;
}

export class SnapshotFiles {
  readonly #disk: Disk;
  #all: readonly SnapshotInfo[] = [];
  /** Until when somebody reads them, so that they stay. */
  readonly #heldUntilMs = new Map<string, number>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** The oldest first. */
  get all(): readonly SnapshotInfo[] {
    return this.#all;
  }

  /** Without rows behind `sequence`; the log, which begins with row `first`, has those behind its start. */
  newestUpTo(sequence: number, first: number): SnapshotInfo | undefined {
    return this.all.findLast(
      ({ start, end }) => end.sequence <= sequence && start.sequence + 1 >= first,
    );
  }

  get newest(): SnapshotInfo | undefined {
    return this.#all.at(-1);
  }

  /** Looks what is there; gives the names of those that are damaged, which were renamed. */
  async load(): Promise<readonly string[]> {
    await this.#disk.remove(WRITING_FOLDER);
    const damaged: string[] = [];
    const all: SnapshotInfo[] = [];
    for (const name of await this.#disk.list(SNAPSHOT_FOLDER)) {
      const path = `${SNAPSHOT_FOLDER}/${name}`;
      if (!name.endsWith(SUFFIX)) continue;
      const info = await describeSnapshot(this.#disk, path);
      if (info === undefined) damaged.push(name);
      else all.push(info);
    }
    for (const name of damaged) await this.#rename(name);
    this.#all = all.toSorted((a, b) => a.start.sequence - b.start.sequence);
    return damaged;
  }

  async begin(start: Position, runs: readonly TermRun[]): Promise<SnapshotWriting> {
    const path = `${WRITING_FOLDER}/${snapshotName(start)}`;
    await this.#disk.remove(path);
    return new SnapshotWriting(await this.#disk.openAppend(path), path, { start, runs });
  }

  /** Gives it its name, after `seal`. */
  async publish(writing: SnapshotWriting): Promise<SnapshotInfo> {
    const { start, runs, end, bytes } = writing;
    const name = snapshotName(start);
    const path = `${SNAPSHOT_FOLDER}/${name}`;
    await this.#disk.rename(writing.path, path);
    const info: SnapshotInfo = { name, path, start, runs, end, bytes };
    this.#all = [...this.#all.filter((other) => other.name !== name), info].toSorted(
      (a, b) => a.start.sequence - b.start.sequence,
    );
    return info;
  }

  async abandon(writing: SnapshotWriting): Promise<void> {
    await writing.close();
    await this.#disk.remove(writing.path);
  }

  async setAside({ name }: SnapshotInfo): Promise<void> {
    this.#all = this.#all.filter((other) => other.name !== name);
    await this.#rename(name);
  }

  async remove({ name, path }: SnapshotInfo): Promise<void> {
    this.#all = this.#all.filter((other) => other.name !== name);
    this.#heldUntilMs.delete(name);
    await this.#disk.remove(path);
  }

  /** Those whose end is behind this row. */
  async removeBehind(sequence: number): Promise<void> {
    const removed = this.#all.filter(({ end }) => end.sequence > sequence);
    for (const snapshot of removed.toReversed()) await this.remove(snapshot);
  }

  hold(name: string, untilMs: number): void {
    this.#heldUntilMs.set(name, untilMs);
  }

  isHeld(name: string, nowMs: number): boolean {
    return (this.#heldUntilMs.get(name) ?? Number.NEGATIVE_INFINITY) > nowMs;
  }

  #rename(name: string): Promise<void> {
    const path = `${SNAPSHOT_FOLDER}/${name}`;
    return this.#disk.rename(path, `${path}${DAMAGED_SUFFIX}`);
  }
}

/** A snapshot that is being written. */
export class SnapshotWriting {
  readonly path: string;
  readonly start: Position;
  readonly runs: readonly TermRun[];
  readonly #file: AppendFile;
  #end: Position;
  #checksum = 0;
  #bytes = 0;
  #rowCount = 0;

  constructor(
    file: AppendFile,
    path: string,
    header: { readonly start: Position; readonly runs: readonly TermRun[] },
  ) {
    this.#file = file;
    this.path = path;
    this.start = header.start;
    this.runs = header.runs;
    this.#end = header.start;
    this.#write(encodeSnapshotHeader(header));
  }

  get end(): Position {
    return this.#end;
  }

  get bytes(): number {
    return this.#bytes;
  }

  block(payload: Uint8Array, rowCount: number): void {
    this.#rowCount += rowCount;
    this.#write(encodeBlock(payload, rowCount, this.#checksum));
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** Nothing comes behind it; durable when it resolves. */
  async seal(end: Position): Promise<void> {
    this.#end = end;
    this.#write(encodeSnapshotEnd(end, this.#rowCount, this.#checksum));
    await this.#file.sync();
    await this.#file.close();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #write({ bytes, checksum }: EncodedPart): void {
    this.#file.write(bytes);
    this.#checksum = checksum;
    this.#bytes += bytes.length;
  }
}

/** By its header and its end, without what is between them; undefined when one of them is not right. */
export async function describeSnapshot(
  disk: Disk,
  path: string,
): Promise<SnapshotInfo | undefined> {
  const bytes = (await disk.size(path)) ?? 0;
  const header = await headerOf(disk, path, bytes);
  const endBytes = await bytesAt(disk, path, Math.max(0, bytes - SNAPSHOT_END_BYTES));
  const end = readPart(endBytes, 0, previousOf(endBytes))?.part;
  if (header?.kind !== 'header' || end?.kind !== 'end') return undefined;
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { name, path, start: header.start, runs: header.runs, end: end.position, bytes };
}

async function headerOf(disk: Disk, path: string, size: number): Promise<SnapshotPart | undefined> {
  const beginning = await bytesAt(disk, path, 0, SNAPSHOT_HEADER_START);
  refuseOtherVersion(path, beginning);
  const length = snapshotHeaderLength(beginning);
  if (length === undefined || length > size) return undefined;
  return readSnapshotHeader(await bytesAt(disk, path, 0, length))?.part;
}

async function bytesAt(
  disk: Disk,
  path: string,
  offset: number,
  length = SNAPSHOT_END_BYTES,
): Promise<Uint8Array> {
  return (await disk.readPart(path, offset, length)) ?? new Uint8Array();
}

/** What a part says that the part before it has: whether that is true only reading all of it shows. */
function previousOf(part: Uint8Array): number {
  if (part.length < SNAPSHOT_END_BYTES) return 0;
  return new DataView(part.buffer, part.byteOffset).getUint32(12);
}

function refuseOtherVersion(path: string, bytes: Uint8Array): void {
  const version = otherSnapshotVersion(bytes);
  if (version === undefined) return;
  throw new ClusterError('STORAGE_FAILED', {
    message:
      `The snapshot ${path} has format version ${version}, this release reads version ` +
      `${SNAPSHOT_VERSION}. It was written by a later release; start that release. The file was ` +
      'not changed.',
    details: { path, version },
  });
}
