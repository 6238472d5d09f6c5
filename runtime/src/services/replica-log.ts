/**
 * The log of a replica set on this instance's disk: `log/<first sequence>.xlog`.
 *
 * What is appended is what is replicated. After every start and every cut a new segment is begun, so that no byte
 * that was once written is written again. A broken end is cut only where nothing that was promised to last can be
 * behind it; anything else refuses to start, naming the file, rather than serve a log with a hole. A segment of a
 * later release is left as it is, too: what this one cannot read may all be good.
 */

import type { Position } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import { TermHistory } from '../core/replication/term-history.ts';
import {
  type Batch,
  encodeBatch,
  encodeHeader,
  type FoundBatch,
  faultAt,
  joined,
  lastSequence,
  readSegment,
  type SegmentFault,
  VERSION,
} from '../core/storage/log-format.ts';
import { assert } from '../foundation/assert.ts';
import type { Disk } from '../ports/disk.ts';

/** `write`: survives the process. `fsync`: survives the machine. */
export type LogMode = 'write' | 'fsync';

export interface ReplicaLogOptions {
  readonly disk: Disk;
  readonly mode: LogMode;
  /** A segment that has reached it is followed by another. */
  readonly segmentBytes: number;
  /** How much of the end is kept in memory for followers. */
  readonly recentBytes: number;
}

interface Segment {
  readonly path: string;
  readonly first: number;
  /** Checksum of the batch before the first. */
  readonly checksum: number;
}

const FOLDER = 'log';

export class ReplicaLog {
  readonly history = new TermHistory();
  readonly #options: ReplicaLogOptions;
  #segments: Segment[] = [];
  /** Bytes of the segment that is being written; undefined when the next batch begins a new one. */
  #openBytes: number | undefined;
  #checksum = 0;
  #syncedSequence = 0;
  #recent: Batch[] = [];
  #recentBytes = 0;

  constructor(options: ReplicaLogOptions) {
    this.#options = options;
  }

  get end(): Position {
    return this.history.end;
  }

  /**
   * Reads everything, in order, and cuts a torn end; gives the number of bytes that were cut.
   * `sameBoot`: since it was written only the process has ended, so that nothing in its middle can be missing.
   */
  async open(sameBoot: boolean, onBatch: (batch: Batch) => void): Promise<number> {
    const { disk } = this.#options;
    const names = (await disk.list(FOLDER)).filter((name) => name.endsWith('.xlog')).toSorted();
    for (const [index, name] of names.entries()) {
      const path = `${FOLDER}/${name}`;
      const bytes = (await disk.read(path)) ?? new Uint8Array();
      const expected = { sequence: this.end.sequence + 1, checksum: this.#checksum };
      const content = readSegment(bytes, expected);
      if (content.batches.length > 0) {
        this.#segments.push({ path, first: expected.sequence, checksum: expected.checksum });
      }
      for (const batch of content.batches) {
        this.#remember(batch, batch.checksum);
        onBatch(batch);
      }
      // A header alone is the beginning of a write, too.
      if (content.fault === undefined && content.batches.length > 0) continue;
      const later = names.slice(index + 1).map((other) => `${FOLDER}/${other}`);
      const fault = content.fault ?? faultAt(bytes, content.end, 'it has no rows');
      await this.#refuseDamage(path, fault, { sameBoot, later });
      const cut = content.batches.length > 0 ? content.end : 0;
      return bytes.length - cut + (await this.#cut(path, cut, later));
    }
    return 0;
  }

  /** One write for all of them. A failure leaves it open what is on the disk: the log must not be used again. */
  async append(batches: readonly Batch[]): Promise<void> {
    const { disk, mode, segmentBytes } = this.#options;
    const parts: Uint8Array[] = [];
    if (this.#openBytes === undefined || this.#openBytes >= segmentBytes) {
      parts.push(this.#beginSegment());
    }
    const checksums: number[] = [];
    for (const batch of batches) {
      const previous = checksums.at(-1) ?? this.#checksum;
      const { bytes, checksum } = encodeBatch(batch, previous, this.#syncedSequence);
      parts.push(bytes);
      checksums.push(checksum);
    }
    const bytes = joined(parts);
    const segment = this.#segments.at(-1);
    assert(segment !== undefined, 'a segment is open');
    await disk.append(segment.path, bytes, { sync: mode === 'fsync' });
    batches.forEach((batch, index) => this.#remember(batch, checksums[index] ?? 0));
    this.#openBytes = (this.#openBytes ?? 0) + bytes.length;
    if (mode === 'fsync') this.#syncedSequence = this.end.sequence;
  }

  /** Whole batches behind `sequence`, at least one if there is any. */
  async behind(sequence: number, maxBytes: number): Promise<readonly Batch[]> {
    const oldest = this.#recent[0];
    if (oldest !== undefined && oldest.firstSequence <= sequence + 1) {
      return limited(this.#recent.slice(firstBehind(this.#recent, sequence)), maxBytes);
    }
    const segment = this.#segments.findLast(({ first }) => first <= sequence + 1);
    if (segment === undefined) return [];
    const batches = await this.#read(segment);
    return limited(batches.slice(firstBehind(batches, sequence)), maxBytes).map(plain);
  }

  /** All batches behind `sequence`. */
  async allBehind(sequence: number): Promise<readonly Batch[]> {
    const found: Batch[] = [];
    await this.replay((batch) => {
      if (batch.firstSequence > sequence) found.push(batch);
    });
    return found;
  }

  /** All batches in order, from the disk. */
  async replay(onBatch: (batch: Batch) => void): Promise<void> {
    for (const segment of this.#segments) {
      for (const batch of await this.#read(segment)) onBatch(plain(batch));
    }
  }

  /** Takes away all rows behind `sequence`, the end of a batch. From the end, so that a crash leaves no gap. */
  async truncate(sequence: number): Promise<void> {
    const { disk } = this.#options;
    for (const segment of this.#segments.filter(({ first }) => first > sequence).toReversed()) {
      await disk.remove(segment.path);
      this.#checksum = segment.checksum;
    }
    this.#segments = this.#segments.filter(({ first }) => first <= sequence);
    const segment = this.#segments.at(-1);
    if (segment !== undefined) {
      const last = (await this.#read(segment)).findLast((batch) => lastSequence(batch) <= sequence);
      assert(
        last !== undefined && lastSequence(last) === sequence,
        'a log is cut between two batches',
      );
      await disk.truncate(segment.path, last.end);
      this.#checksum = last.checksum;
    }
    this.history.truncate(sequence);
    this.#recent = this.#recent.filter((batch) => lastSequence(batch) <= sequence);
    this.#recentBytes = this.#recent.reduce((sum, batch) => sum + batch.payload.length, 0);
    this.#syncedSequence = Math.min(this.#syncedSequence, sequence);
    this.#openBytes = undefined;
  }

  #beginSegment(): Uint8Array {
    const first = this.end.sequence + 1;
    const path = `${FOLDER}/${String(first).padStart(16, '0')}.xlog`;
    this.#segments.push({ path, first, checksum: this.#checksum });
    this.#openBytes = 0;
    return encodeHeader({ sequence: first, checksum: this.#checksum });
  }

  #remember(batch: Batch, checksum: number): void {
    this.history.extend(batch.term, lastSequence(batch));
    this.#checksum = checksum;
    this.#recent.push(plain(batch));
    this.#recentBytes += batch.payload.length;
    while (this.#recentBytes > this.#options.recentBytes && this.#recent.length > 1) {
      this.#recentBytes -= this.#recent.shift()?.payload.length ?? 0;
    }
  }

  /** The batches of a segment up to the end of the log; a write that is on its way may be behind it. */
  async #read({ path, first, checksum }: Segment): Promise<readonly FoundBatch[]> {
    const bytes = (await this.#options.disk.read(path)) ?? new Uint8Array();
    const end = this.end.sequence;
    const { batches } = readSegment(bytes, { sequence: first, checksum });
    return batches.filter((batch) => lastSequence(batch) <= end);
  }

  async #refuseDamage(
    path: string,
    fault: SegmentFault,
    { sameBoot, later }: { readonly sameBoot: boolean; readonly later: readonly string[] },
  ): Promise<void> {
    let { validBehind, syncedBehind } = fault;
    refuseOtherVersion(path, fault);
    for (const other of later) {
      const bytes = (await this.#options.disk.read(other)) ?? new Uint8Array();
      const found = faultAt(bytes, 0, '');
      refuseOtherVersion(other, found);
      validBehind += found.validBehind;
      syncedBehind = Math.max(syncedBehind, found.syncedBehind);
    }
    const missing = this.end.sequence + 1;
    if (syncedBehind < missing && !(sameBoot && validBehind > 0)) return;
    throw new ClusterError('STORAGE_FAILED', {
      message:
        `The log is damaged: ${path} at byte ${fault.offset}: ${fault.reason}, but valid rows ` +
        `follow. Row ${missing} was on this disk and is not readable any more. Remove this ` +
        "instance's data, so that it gets a copy from another one, or bring back the file.",
      details: { path, offset: fault.offset, missingSequence: missing },
    });
  }

  async #cut(path: string, size: number, later: readonly string[]): Promise<number> {
    const { disk } = this.#options;
    let removed = 0;
    for (const other of later.toReversed()) {
      removed += (await disk.read(other))?.length ?? 0;
      await disk.remove(other);
    }
    if (size === 0) await disk.remove(path);
    else await disk.truncate(path, size);
    return removed;
  }
}

function refuseOtherVersion(path: string, { otherVersion }: SegmentFault): void {
  if (otherVersion === undefined) return;
  throw new ClusterError('STORAGE_FAILED', {
    message:
      `The log cannot be read: ${path} has format version ${otherVersion}, this release reads ` +
      `version ${VERSION}. It was written by a later release; start that release. The file was ` +
      'not changed.',
    details: { path, version: otherVersion },
  });
}

/** What goes to others: without what is known of its place in a file. */
function plain({ term, firstSequence, rowCount, payload }: Batch): Batch {
  return { term, firstSequence, rowCount, payload };
}

/** Index of the first batch with a row behind `sequence`. */
function firstBehind(batches: readonly Batch[], sequence: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const batch = batches[middle];
    if (batch !== undefined && lastSequence(batch) <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function limited(batches: readonly Batch[], maxBytes: number): readonly Batch[] {
  let bytes = 0;
  const end = batches.findIndex((batch) => {
    bytes += batch.payload.length;
    return bytes > maxBytes;
  });
  return end === -1 ? batches : batches.slice(0, Math.max(1, end));
}
