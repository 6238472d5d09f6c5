/**
 * The log of a replica set on this instance's disk: `log/<first sequence>.xlog`.
 *
 * What is appended is what is replicated. After every start and every cut a new segment is begun, so that no byte
 * that was once written is written again. The log may begin behind rows that only a snapshot holds: their terms are
 * in the history all the same, so that positions can be compared.
 *
 * In mode `write` rows are in the log when the write returns; in mode `fsync` once they are durable. In mode `write`
 * `sync` makes durable what has been written so far, and only a snapshot asks for that.
 */

import type { Position } from '../contract/instance-status.ts';
import { TermHistory } from '../core/replication/term-history.ts';
import {
  type Batch,
  encodeBatch,
  encodeHeader,
  encodeInPlace,
  joined,
  lastSequence,
  readSegment,
} from '../core/storage/log-format.ts';
import { assert } from '../foundation/assert.ts';
import type { AppendFile, Disk } from '../ports/disk.ts';
import { Exclusive } from './exclusive.ts';
import { batchesBehind, RecentBatches } from './replica-log-recent.ts';
import { recoverLog, type Segment, segmentPath } from './replica-log-recovery.ts';
import type { SliceOptions } from './slices.ts';

/** `write`: survives the process. `fsync`: survives the machine. */
export type LogMode = 'write' | 'fsync';

export interface ReplicaLogOptions {
  readonly disk: Disk;
  readonly mode: LogMode;
  /** A segment that has reached it is followed by another. */
  readonly segmentBytes: number;
  /** How much of the end is kept in memory for followers. */
  readonly recentBytes: number;
  /** The terms of rows that only a snapshot holds; the log may begin behind them. */
  readonly base?: TermHistory;
}

/** The segment that was read last: a follower that is far behind asks for all of it, piece by piece. */
interface ReadSegment {
  readonly path: string;
  readonly end: number;
  readonly batches: readonly Batch[];
}

export class ReplicaLog {
  readonly history: TermHistory;
  readonly #options: ReplicaLogOptions;
  readonly #recent: RecentBatches;
  #segments: Segment[] = [];
  /** Of the last segment; undefined when the next batch begins a new one. */
  #file: AppendFile | undefined;
  #checksum = 0;
  #syncedSequence = 0;
  /** Segments that may hold what a crash of the machine would take, but for the open one. */
  #unsynced: string[] = [];
  /** What syncs, cuts or removes segments does it one after the other. */
  readonly #segmentWork = new Exclusive();
  #writtenBytes = 0;
  #lastRead: ReadSegment | undefined;

  constructor(options: ReplicaLogOptions) {
    this.#options = options;
    this.#recent = new RecentBatches(options.recentBytes);
    this.history = options.base ?? new TermHistory();
  }

  get end(): Position {
    return this.history.end;
  }

  /** The first row that is in the log, or will be. */
  get first(): number {
    return this.#segments[0]?.first ?? this.end.sequence + 1;
  }

  /** Of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** What was appended since it was opened, and what was read then: how much a start would have to read. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Can `appendNow` be called? */
  get isAtHand(): boolean {
    return this.#options.mode === 'write' && this.#file !== undefined && !this.#isFull;
  }

  /**
   * Reads everything behind the base, in order, and cuts a torn end; gives the number of bytes that were cut.
   * `sameBoot`: since it was written only the process has ended, so that nothing in its middle can be missing.
   */
  async open(
    sameBoot: boolean,
    onBatch: (batch: Batch) => void,
    slices: SliceOptions,
  ): Promise<number> {
    const { disk, mode } = this.#options;
    const recovered = await recoverLog({
      ...{ disk, sameBoot, history: this.history, slices },
      onBatch: (batch) => {
        this.#recent.add(plain(batch));
        onBatch(batch);
      },
    });
    this.#segments = recovered.segments;
    this.#checksum = recovered.checksum;
    this.#writtenBytes = recovered.readBytes;
    this.#unsynced = this.#segments.map(({ path }) => path);
    // What a process has written before it was killed counts from now on as durable.
    if (mode === 'fsync') await this.sync();
    return recovered.cutBytes;
  }

  /** A failure leaves it open what is on the disk: the log must not be used again. */
  async append(batches: readonly Batch[]): Promise<void> {
    const file = await this.#openFile();
    const parts: Uint8Array[] = [];
    let checksum = this.#checksum;
    for (const batch of batches) {
      const encoded = encodeBatch(batch, checksum, this.#syncedSequence);
      parts.push(encoded.bytes);
      ({ checksum } = encoded);
    }
    const bytes = joined(parts);
    file.write(bytes);
    await this.#written(file, bytes.length, checksum, batches);
  }

  /** The last row that is known to survive the machine. */
  get syncedSequence(): number {
    return this.#syncedSequence;
  }

  /** A batch whose payload is that of `RowWriter.take`. */
  async appendOwn(batch: Batch): Promise<void> {
    const file = await this.#openFile();
    const { bytes, checksum } = encodeInPlace(batch, this.#checksum, this.#syncedSequence);
    file.write(bytes);
    await this.#written(file, bytes.length, checksum, [batch]);
  }

  /** As `appendOwn`, at once: only while `isAtHand`, and not while anything else is under way. */
  appendNow(batch: Batch): void {
    const file = this.#file;
    assert(file !== undefined && this.isAtHand, 'a segment is open');
    const { bytes, checksum } = encodeInPlace(batch, this.#checksum, this.#syncedSequence);
    file.write(bytes);
    this.#count(bytes.length);
    this.#checksum = checksum;
    this.#remember(batch);
  }

  /** When it resolves, all that was in the log at the call survives the machine. Appending goes on meanwhile. */
  async sync(): Promise<void> {
    const { sequence } = this.end;
    if (this.#syncedSequence >= sequence && this.#unsynced.length === 0) return;
    await this.#segmentWork.run(async () => {
      const open = this.#file === undefined ? [] : this.#segments.slice(-1);
      const paths = [...this.#unsynced, ...open.map(({ path }) => path)];
      this.#unsynced = [];
      // By their names, because the open one may be closed, and another be opened, meanwhile.
      for (const path of paths) {
        const file = await this.#options.disk.openAppend(path);
        await file.sync();
        await file.close();
      }
      this.#syncedSequence = Math.max(this.#syncedSequence, sequence);
    });
  }

  /** Whole batches behind `sequence`, at least one if there is any; undefined when they are not here any more. */
  async behind(sequence: number, maxBytes: number): Promise<readonly Batch[] | undefined> {
    if (sequence >= this.end.sequence) return [];
    const recent = this.#recent.behind(sequence, maxBytes);
    if (recent !== undefined) return recent;
    const segment = this.#segments.findLast(({ first }) => first <= sequence + 1);
    if (segment === undefined) return undefined;
    const batches = await this.#read(segment, true);
    const found = batchesBehind(batches, sequence, maxBytes);
    return found[0] !== undefined && found[0].firstSequence <= sequence + 1 ? found : undefined;
  }

  /** All batches behind `sequence` that are here. */
  async allBehind(sequence: number): Promise<readonly Batch[]> {
    const found: Batch[] = [];
    await this.replay(sequence, (batch) => found.push(batch));
    return found;
  }

  /** All batches behind `sequence` that are here, in order, from the disk. */
  async replay(sequence: number, onBatch: (batch: Batch) => void): Promise<void> {
    const start = this.#segments.findLastIndex(({ first }) => first <= sequence + 1);
    for (const segment of this.#segments.slice(Math.max(0, start))) {
      for (const batch of await this.#read(segment, false)) {
        if (batch.firstSequence > sequence) onBatch(batch);
      }
    }
  }

  /** Takes away all rows behind `sequence`, the end of a batch. From the end, so that a crash leaves no gap. */
  truncate(sequence: number): Promise<void> {
    return this.#segmentWork.run(() => this.#truncate(sequence));
  }

  /** Removes segments whose rows are all before or at `sequence`, the oldest first; the last one stays. */
  trim(sequence: number): Promise<number> {
    return this.#segmentWork.run(() => this.#trim(sequence));
  }

  async close(): Promise<void> {
    await this.#closeFile();
  }

  async #truncate(sequence: number): Promise<void> {
    const { disk } = this.#options;
    await this.#closeFile();
    for (const segment of this.#segments.filter(({ first }) => first > sequence).toReversed()) {
      await disk.remove(segment.path);
      this.#checksum = segment.checksum;
    }
    this.#keepSegments(({ first }) => first <= sequence);
    this.#unsynced = this.#unsynced.filter((path) =>
      this.#segments.some((segment) => segment.path === path),
    );
    const segment = this.#segments.at(-1);
    if (segment !== undefined) {
      const bytes = (await disk.read(segment.path)) ?? new Uint8Array();
      const { batches } = readSegment(bytes, { ...segment, sequence: segment.first });
      const last = batches.findLast((batch) => lastSequence(batch) <= sequence);
      assert(
        last !== undefined && lastSequence(last) === sequence,
        'a log is cut between two batches',
      );
      await disk.truncate(segment.path, last.end);
      segment.bytes = last.end;
      this.#checksum = last.checksum;
    }
    this.history.truncate(sequence);
    this.#recent.truncate(sequence);
    this.#lastRead = undefined;
    this.#syncedSequence = Math.min(this.#syncedSequence, sequence);
  }

  async #trim(sequence: number): Promise<number> {
    const next = this.#segments.findLastIndex(({ first }) => first <= sequence + 1);
    const removed = this.#segments.slice(0, Math.max(0, next));
    for (const { path, first } of removed) {
      // Nobody is given rows of a file that is about to go.
      this.#keepSegments((segment) => segment.first > first);
      this.#unsynced = this.#unsynced.filter((other) => other !== path);
      if (this.#lastRead?.path === path) this.#lastRead = undefined;
      await this.#options.disk.remove(path);
    }
    return removed.length;
  }

  get #isFull(): boolean {
    return (this.#segments.at(-1)?.bytes ?? 0) >= this.#options.segmentBytes;
  }

  async #openFile(): Promise<AppendFile> {
    if (this.#file !== undefined && !this.#isFull) return this.#file;
    await this.#closeFile();
    const { disk } = this.#options;
    const first = this.end.sequence + 1;
    const path = segmentPath(first);
    const file = await disk.openAppend(path);
    const header = encodeHeader({ sequence: first, checksum: this.#checksum });
    file.write(header);
    this.#segments.push({ path, first, checksum: this.#checksum, bytes: header.length });
    this.#writtenBytes += header.length;
    this.#file = file;
    return file;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    const path = this.#segments.at(-1)?.path;
    this.#file = undefined;
    if (file === undefined || path === undefined) return;
    if (this.#options.mode === 'write') this.#unsynced.push(path);
    await file.close();
  }

  async #written(
    file: AppendFile,
    size: number,
    checksum: number,
    batches: readonly Batch[],
  ): Promise<void> {
    this.#count(size);
    const isSynced = this.#options.mode === 'fsync';
    if (isSynced) await file.sync();
    this.#checksum = checksum;
    for (const batch of batches) this.#remember(plain(batch));
    if (isSynced) this.#syncedSequence = this.end.sequence;
  }

  #keepSegments(which: (segment: Segment) => boolean): void {
    this.#segments = this.#segments.filter(which);
  }

  #count(bytes: number): void {
    const segment = this.#segments.at(-1);
    assert(segment !== undefined, 'a segment is open');
    segment.bytes += bytes;
    this.#writtenBytes += bytes;
  }

  #remember(batch: Batch): void {
    this.history.extend(batch.term, lastSequence(batch));
    this.#recent.add(batch);
  }

  /** The batches of a segment up to the end of the log; a write that is on its way may be behind it. */
  async #read(segment: Segment, keep: boolean): Promise<readonly Batch[]> {
    const { path, first, checksum } = segment;
    const { sequence: end } = this.end;
    const known = this.#lastRead;
    const isLast = segment === this.#segments.at(-1);
    if (known?.path === path && (known.end === end || !isLast)) return known.batches;
    const bytes = (await this.#options.disk.read(path)) ?? new Uint8Array();
    const { batches } = readSegment(bytes, { sequence: first, checksum });
    const whole = batches.filter((batch) => lastSequence(batch) <= end).map(plain);
    if (keep) this.#lastRead = { path, end, batches: whole };
    return whole;
  }
}

/** What goes to others: without what is known of its place in a file. */
function plain({ term, firstSequence, rowCount, payload }: Batch): Batch {
  return { term, firstSequence, rowCount, payload };
}
