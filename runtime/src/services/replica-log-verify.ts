/**
 * Looks at the data of an instance that does not run: every segment and every snapshot, and whether they fit together.
 *
 * It says what a start would say, but of all files at once, and changes nothing.
 */
import type { Position } from '../contract/instance-status.ts';
import { TermHistory } from '../core/replication/term-history.ts';
import {
  type Batch,
  type Expected,
  HEADER,
  lastSequence,
  readHeader,
  readSegment,
} from '../core/storage/log-format.ts';
import { type Row, RowCodec } from '../core/storage/rows.ts';
import type { Disk } from '../ports/disk.ts';
import { firstOf, LOG_FOLDER, segmentNames } from './replica-log-recovery.ts';
import { SNAPSHOT_FOLDER } from './snapshot-files.ts';
import { readSnapshot, type WholeSnapshot } from './snapshot-reader.ts';

export interface VerifiedFile {
  readonly path: string;
  readonly kind: 'segment' | 'snapshot';
  readonly bytes: number;
  /** Batches of a segment, blocks of a snapshot. */
  readonly parts: number;
  readonly rows: number;
  /** The first and the last row of a segment; where the reading of a snapshot began and ended. */
  readonly from: Position | null;
  readonly to: Position | null;
  readonly fault: VerifiedFault | null;
}

export interface VerifiedFault {
  readonly offset: number;
  readonly reason: string;
  /** A write that a crash has cut off: the next start takes it away, and loses nothing that was promised. */
  readonly isTornEnd: boolean;
}

export interface VerifiedData {
  readonly files: readonly VerifiedFile[];
  /** What would keep an instance from starting, or from starting with all of it. */
  readonly problems: readonly string[];
}

export interface DumpedBatch {
  readonly term: number;
  readonly firstSequence: number;
  readonly rows: readonly Row[];
}

export interface DumpRange {
  readonly from: number;
  readonly to: number;
}

export async function verifyData(disk: Disk): Promise<VerifiedData> {
  return new Verification(disk).run();
}

/** Gives the batches with rows in the range, in order; up to the first that cannot be read. */
export async function dumpLog(
  disk: Disk,
  range: DumpRange,
  onBatch: (batch: DumpedBatch) => void,
): Promise<void> {
  const codec = new RowCodec();
  for (const name of await segmentNames(disk)) {
    const path = `${LOG_FOLDER}/${name}`;
    const bytes = (await disk.read(path)) ?? new Uint8Array();
    const { batches, fault } = readSegment(bytes, readHeader(bytes) ?? FROM_THE_START);
    for (const batch of batches) {
      if (lastSequence(batch) < range.from || batch.firstSequence > range.to) continue;
      onBatch(dumped(batch, codec.decode(batch.payload), range));
    }
    if (fault !== undefined) return;
  }
}

const FROM_THE_START: Expected = { sequence: 1, checksum: 0 };

class Verification {
  readonly #disk: Disk;
  readonly #codec = new RowCodec();
  readonly #history = new TermHistory();
  readonly #files: VerifiedFile[] = [];
  readonly #problems: string[] = [];
  /** The first row in the log. */
  #first: number | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async run(): Promise<VerifiedData> {
    const snapshots = await this.#readSnapshots();
    await this.#readLog(snapshots);
    for (const [path, snapshot] of snapshots) this.#compare(path, snapshot);
    if (snapshots.size === 0 && this.#first !== undefined && this.#first > 1) {
      this.#problems.push(`the log begins with row ${this.#first}, and no snapshot is before it`);
    }
    return { files: this.#files, problems: this.#problems };
  }

  async #readSnapshots(): Promise<ReadonlyMap<string, WholeSnapshot>> {
    const whole = new Map<string, WholeSnapshot>();
    for (const name of await this.#disk.list(SNAPSHOT_FOLDER)) {
      const path = `${SNAPSHOT_FOLDER}/${name}`;
      if (!name.endsWith('.snap')) {
        this.#problems.push(`${path} is no snapshot: it is left out`);
        continue;
      }
      const reading = await readSnapshot(this.#disk, path);
      if (reading.kind === 'whole') whole.set(path, reading.snapshot);
      await this.#addSnapshot(path, reading);
    }
    return whole;
  }

  async #addSnapshot(
    path: string,
    reading: Awaited<ReturnType<typeof readSnapshot>>,
  ): Promise<void> {
    const bytes = (await this.#disk.size(path)) ?? 0;
    if (reading.kind === 'whole') {
      const { blocks: parts, rowCount: rows, start: from, end: to } = reading.snapshot;
      this.#files.push({ path, kind: 'snapshot', bytes, parts, rows, from, to, fault: null });
      return;
    }
    const fault = { ...reading.fault, isTornEnd: false };
    const nothing = { parts: 0, rows: 0, from: null, to: null };
    this.#files.push({ path, kind: 'snapshot', bytes, ...nothing, fault });
    this.#problems.push(`${path} at byte ${fault.offset}: ${fault.reason}`);
  }

  async #readLog(snapshots: ReadonlyMap<string, WholeSnapshot>): Promise<void> {
    const names = await segmentNames(this.#disk);
    let next = FROM_THE_START;
    for (const [index, name] of names.entries()) {
      const path = `${LOG_FOLDER}/${name}`;
      const bytes = (await this.#disk.read(path)) ?? new Uint8Array();
      if (index === 0) {
        next = readHeader(bytes.subarray(0, HEADER)) ?? next;
        this.#first = firstOf(name);
        this.#beginHistory(snapshots, this.#first);
      }
      const content = readSegment(bytes, next);
      const rows = content.batches.reduce((sum, batch) => sum + batch.rowCount, 0);
      const fault =
        content.fault === undefined
          ? this.#wrongRows(content.batches)
          : {
              offset: content.fault.offset,
              reason: content.fault.reason,
              isTornEnd: index === names.length - 1 && content.fault.validBehind === 0,
            };
      for (const batch of content.batches) this.#extend(batch);
      const last = content.batches.at(-1);
      if (last !== undefined) {
        next = { sequence: lastSequence(last) + 1, checksum: last.checksum };
      }
      this.#files.push({
        ...{ path, kind: 'segment', bytes: bytes.length, parts: content.batches.length, rows },
        from: positionOf(content.batches[0]),
        to: last === undefined ? null : { term: last.term, sequence: lastSequence(last) },
        fault,
      });
      if (fault !== null && !fault.isTornEnd) {
        this.#problems.push(`${path} at byte ${fault.offset}: ${fault.reason}`);
      }
    }
  }

  /** The terms of what is before the log are in any snapshot. */
  #beginHistory(snapshots: ReadonlyMap<string, WholeSnapshot>, first: number): void {
    const any = [...snapshots.values()].find(({ start }) => start.sequence + 1 >= first);
    if (any === undefined) return;
    for (const run of any.runs) {
      const last = Math.min(run.last, first - 1);
      if (run.first <= last) this.#history.extend(run.term, last);
    }
  }

  #extend(batch: Batch): void {
    const { term, sequence } = this.#history.end;
    if (batch.term >= term && lastSequence(batch) > sequence) {
      this.#history.extend(batch.term, lastSequence(batch));
    }
  }

  #wrongRows(batches: readonly Batch[]): VerifiedFault | null {
    for (const batch of batches) {
      const { length } = this.#codec.decode(batch.payload);
      if (length === batch.rowCount) continue;
      const reason = `the batch with row ${batch.firstSequence} says ${batch.rowCount} rows, and has ${length}`;
      return { offset: 0, reason, isTornEnd: false };
    }
    return null;
  }

  #compare(path: string, { start, end }: WholeSnapshot): void {
    if (this.#first !== undefined && this.#first > start.sequence + 1) {
      this.#problems.push(
        `${path} needs the log from row ${start.sequence + 1} on, which begins with ${this.#first}`,
      );
    }
    const isAtEnd = this.#first === undefined && start.sequence === end.sequence;
    if (isAtEnd || this.#history.has(end)) return;
    this.#problems.push(
      `${path} ends with row ${end.sequence} of term ${end.term}, which the log does not have`,
    );
  }
}

function positionOf(batch: Batch | undefined): Position | null {
  return batch === undefined ? null : { term: batch.term, sequence: batch.firstSequence };
}

function dumped(batch: Batch, rows: readonly Row[], { from, to }: DumpRange): DumpedBatch {
  const skipped = Math.max(0, from - batch.firstSequence);
  const end = Math.min(rows.length, to - batch.firstSequence + 1);
  return {
    term: batch.term,
    firstSequence: batch.firstSequence + skipped,
    rows: rows.slice(skipped, end),
  };
}
