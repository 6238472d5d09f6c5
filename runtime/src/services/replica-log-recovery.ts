/**
 * Reads the log at a start: which segments there are, what is in them, and whether what is wrong may be cut.
 *
 * A broken end is cut only where nothing that was promised to last can be behind it; anything else refuses to start,
 * naming the file, rather than serve a log with a hole. A segment of a later release is left as it is, too: what this
 * one cannot read may all be good. Segments that a snapshot makes superfluous are only looked at.
 */
import { ClusterError } from '../core/errors.ts';
import type { TermHistory } from '../core/replication/term-history.ts';
import {
  type Batch,
  type Expected,
  type FoundBatch,
  faultAt,
  HEADER,
  lastSequence,
  readHeader,
  readSegment,
  type SegmentFault,
  VERSION,
} from '../core/storage/log-format.ts';
import type { Disk } from '../ports/disk.ts';
import { inSlices, type SliceOptions } from './slices.ts';

export const LOG_FOLDER = 'log';

export interface Segment {
  readonly path: string;
  readonly first: number;
  /** Checksum of the batch before the first. */
  readonly checksum: number;
  bytes: number;
}

export interface RecoverLogOptions {
  readonly disk: Disk;
  /** Since the log was written only the process has ended, so that nothing in its middle can be missing. */
  readonly sameBoot: boolean;
  /** Holds the terms of rows before the log, and gets those of the rows in it. */
  readonly history: TermHistory;
  /** Called with every batch behind the end that the history had. */
  readonly onBatch: (batch: Batch) => void;
  readonly slices: SliceOptions;
}

export interface RecoveredLog {
  readonly segments: Segment[];
  /** Of the last batch. */
  readonly checksum: number;
  readonly cutBytes: number;
  /** Of the segments whose rows were given to `onBatch`. */
  readonly readBytes: number;
}

export function segmentPath(first: number): string {
  return `${LOG_FOLDER}/${String(first).padStart(16, '0')}.xlog`;
}

export function firstOf(name: string): number {
  return Number.parseInt(name, 10);
}

export async function segmentNames(disk: Disk): Promise<readonly string[]> {
  return (await disk.list(LOG_FOLDER)).filter((name) => name.endsWith('.xlog')).toSorted();
}

export async function recoverLog(options: RecoverLogOptions): Promise<RecoveredLog> {
  return new Recovery(options).run();
}

class Recovery {
  readonly #options: RecoverLogOptions;
  readonly #segments: Segment[] = [];
  readonly #base: number;
  #next: Expected = { sequence: 1, checksum: 0 };
  #readBytes = 0;
  /** The segment after that which is used, read meanwhile. */
  #ahead: { readonly path: string; readonly bytes: Promise<Uint8Array | undefined> } | undefined;

  constructor(options: RecoverLogOptions) {
    this.#options = options;
    this.#base = options.history.end.sequence;
  }

  async run(): Promise<RecoveredLog> {
    const names = await segmentNames(this.#options.disk);
    const start = await this.#skipCovered(names);
    for (let index = start; index < names.length; index++) {
      const later = names.slice(index + 1).map((other) => `${LOG_FOLDER}/${other}`);
      const cutBytes = await this.#read(`${LOG_FOLDER}/${names[index] ?? ''}`, later);
      if (cutBytes !== undefined) return this.#recovered(cutBytes);
    }
    return this.#recovered(0);
  }

  #recovered(cutBytes: number): RecoveredLog {
    const segments = this.#segments;
    return { segments, checksum: this.#next.checksum, cutBytes, readBytes: this.#readBytes };
  }

  /** Index of the segment with the first row behind the base; those before it are not read. */
  async #skipCovered(names: readonly string[]): Promise<number> {
    if (this.#base === 0) return 0;
    const start = names.findLastIndex((name) => firstOf(name) <= this.#base + 1);
    if (start === -1) {
      if (names.length > 0) this.#refuseGap(names[0] ?? '');
      this.#next = { sequence: this.#base + 1, checksum: 0 };
      return 0;
    }
    for (const name of names.slice(0, start)) this.#segments.push(await this.#describe(name));
    const { first, checksum } = await this.#describe(names[start] ?? '');
    this.#next = { sequence: first, checksum };
    return start;
  }

  async #describe(name: string): Promise<Segment> {
    const { disk } = this.#options;
    const path = `${LOG_FOLDER}/${name}`;
    const header = readHeader((await disk.readPart(path, 0, HEADER)) ?? new Uint8Array());
    const bytes = (await disk.size(path)) ?? 0;
    return { path, first: firstOf(name), checksum: header?.checksum ?? 0, bytes };
  }

  /** Undefined when the segment is whole; otherwise the log ends with it, and so many bytes were cut. */
  async #read(path: string, later: readonly string[]): Promise<number | undefined> {
    const bytes = (await this.#readAhead(path, later[0])) ?? new Uint8Array();
    const { sequence: first, checksum } = this.#next;
    const content = readSegment(bytes, this.#next);
    if (content.batches.length > 0) {
      this.#segments.push({ path, first, checksum, bytes: content.end });
    }
    this.#readBytes += content.end;
    await this.#use(content.batches);
    // A header alone is the beginning of a write, too.
    if (content.fault === undefined && content.batches.length > 0) return undefined;
    const fault = content.fault ?? faultAt(bytes, content.end, 'it has no rows');
    await this.#refuseDamage(path, fault, later);
    const cut = content.batches.length > 0 ? content.end : 0;
    return bytes.length - cut + (await this.#cut(path, cut, later));
  }

  async #use(batches: readonly FoundBatch[]): Promise<void> {
    const { history, onBatch, slices } = this.#options;
    let used = 0;
    await inSlices(() => {
      const batch = batches[used++];
      if (batch === undefined) return false;
      const sequence = lastSequence(batch);
      this.#next = { sequence: sequence + 1, checksum: batch.checksum };
      if (sequence <= this.#base) return true;
      history.extend(batch.term, sequence);
      onBatch(batch);
      return true;
    }, slices);
  }

  /** The file, and the one that is next is on its way. */
  #readAhead(path: string, next: string | undefined): Promise<Uint8Array | undefined> {
    const { disk } = this.#options;
    const bytes = this.#ahead?.path === path ? this.#ahead.bytes : disk.read(path);
    this.#ahead = undefined;
    if (next !== undefined) {
      const ahead = disk.read(next);
      // Whether it is wanted at all is not known: only who asks for it is told that it failed.
      ahead.catch(() => undefined);
      this.#ahead = { path: next, bytes: ahead };
    }
    return bytes;
  }

  async #refuseDamage(path: string, fault: SegmentFault, later: readonly string[]): Promise<void> {
    const { disk, sameBoot } = this.#options;
    let { validBehind, syncedBehind } = fault;
    refuseOtherVersion(path, fault);
    for (const other of later) {
      const bytes = (await disk.read(other)) ?? new Uint8Array();
      const found = faultAt(bytes, 0, '');
      refuseOtherVersion(other, found);
      validBehind += found.validBehind;
      syncedBehind = Math.max(syncedBehind, found.syncedBehind);
    }
    const missing = this.#next.sequence;
    if (syncedBehind < missing && !(sameBoot && validBehind > 0)) return;
    throw damaged(`${path} at byte ${fault.offset}: ${fault.reason}, but valid rows follow`, {
      path,
      offset: fault.offset,
      missingSequence: missing,
    });
  }

  #refuseGap(name: string): never {
    const path = `${LOG_FOLDER}/${name}`;
    const missing = this.#base + 1;
    throw damaged(`${path} begins with row ${firstOf(name)}, and what is before it ends earlier`, {
      path,
      offset: 0,
      missingSequence: missing,
    });
  }

  async #cut(path: string, size: number, later: readonly string[]): Promise<number> {
    const { disk } = this.#options;
    let removed = 0;
    for (const other of later.toReversed()) {
      removed += (await disk.size(other)) ?? 0;
      await disk.remove(other);
    }
    if (size === 0) await disk.remove(path);
    else await disk.truncate(path, size);
    return removed;
  }
}

export interface DamageDetails extends Record<string, unknown> {
  readonly path: string;
  readonly missingSequence: number;
}

/** What to do is the same for whatever is missing. */
export function damaged(what: string, details: DamageDetails): ClusterError {
  return new ClusterError('STORAGE_FAILED', {
    message:
      `The log is damaged: ${what}. Row ${details.missingSequence} was on this disk and is not ` +
      'readable any more. `tonearm log verify DIR` shows all that is wrong. Bring back the file, ' +
      'or run `tonearm log reseed DIR`: then this instance lays its data aside at its next start ' +
      'and gets a copy from another one.',
    details,
  });
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
