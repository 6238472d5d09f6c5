/**
 * Bytes of the log: a segment is a header and batches. Bytes in, bytes out.
 *
 * Every batch carries the checksum of the one before it, so none can be missing, moved or exchanged unnoticed. It is
 * in the batch as well as in its own checksum, so that a batch behind a broken one can still be recognised: only
 * with that can a torn end (nothing valid follows) be told from damage (something valid does). Of a segment of another
 * version nothing can be told but that: its header is ours in every version, and it is never taken for a torn end.
 *
 * Version 1, big endian.
 * Header: magic 8, version 4, first sequence 8, checksum of the batch before 4, checksum of these 4.
 * Batch:  magic 4, payload length 4, checksum of what follows 4, checksum of the batch before 4, term 8,
 *         first sequence 8, rows 4, synced sequence 8, zero 4, payload.
 */
import { assert } from '../../foundation/assert.ts';
import { crc32 } from './crc32.ts';
import { PAYLOAD_HEADROOM } from './row-writer.ts';

/** Rows that became one write: whole transactions of one term. */
export interface Batch {
  readonly term: number;
  readonly firstSequence: number;
  readonly rowCount: number;
  /** Rows, as `RowCodec` writes them. */
  readonly payload: Uint8Array;
}

export interface FoundBatch extends Batch {
  readonly checksum: number;
  readonly previousChecksum: number;
  /** Up to here the log was durable when this was written: before it nothing can be missing by a mere crash. */
  readonly syncedSequence: number;
  /** Behind its last byte. */
  readonly end: number;
}

/** What must come next: where in the log, and after which checksum. */
export interface Expected {
  readonly sequence: number;
  readonly checksum: number;
}

export interface SegmentFault {
  readonly offset: number;
  readonly reason: string;
  /** The whole header names this version, which is not the one that is read here. */
  readonly otherVersion: number | undefined;
  /** Valid batches behind the fault. */
  readonly validBehind: number;
  /** The highest synced sequence that one of them carries. */
  readonly syncedBehind: number;
}

export interface SegmentContent {
  readonly batches: readonly FoundBatch[];
  /** Behind the last good byte; 0 when not even the header is good. */
  readonly end: number;
  readonly fault?: SegmentFault;
}

const SEGMENT_MAGIC = new TextEncoder().encode('TNRM-LOG');
export const VERSION = 1;
export const HEADER = 28;
const BATCH_MAGIC = 0xd57a_1b0c;
const FRAME = 48;
/** A batch's checksum covers all from here on. */
const CHECKED = 12;

export function lastSequence(batch: Batch): number {
  return batch.firstSequence + batch.rowCount - 1;
}

export function encodeHeader(expected: Expected): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const view = viewOf(bytes);
  bytes.set(SEGMENT_MAGIC);
  view.setUint32(8, VERSION);
  view.setBigUint64(12, BigInt(expected.sequence));
  view.setUint32(20, expected.checksum);
  view.setUint32(24, crc32(bytes.subarray(0, 24)));
  return bytes;
}

export interface EncodedBatch {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

export function encodeBatch(batch: Batch, previous: number, syncedSequence: number): EncodedBatch {
  const bytes = new Uint8Array(FRAME + batch.payload.length);
  bytes.set(batch.payload, FRAME);
  return { bytes, checksum: frame(bytes, batch, previous, syncedSequence) };
}

/** Writes the frame into the free bytes before a payload of `RowWriter.take`: nothing is copied. */
export function encodeInPlace(
  batch: Batch,
  previous: number,
  syncedSequence: number,
): EncodedBatch {
  const { buffer, byteOffset, length } = batch.payload;
  assert(byteOffset >= PAYLOAD_HEADROOM, 'there is room for a frame before the payload');
  const bytes = new Uint8Array(buffer, byteOffset - FRAME, FRAME + length);
  return { bytes, checksum: frame(bytes, batch, previous, syncedSequence) };
}

function frame(bytes: Uint8Array, batch: Batch, previous: number, synced: number): number {
  assert(batch.rowCount > 0, 'a batch has rows');
  const view = viewOf(bytes);
  view.setUint32(0, BATCH_MAGIC);
  view.setUint32(4, batch.payload.length);
  view.setUint32(12, previous);
  setUint64(view, 16, batch.term);
  setUint64(view, 24, batch.firstSequence);
  view.setUint32(32, batch.rowCount);
  setUint64(view, 36, synced);
  view.setUint32(44, 0);
  const checksum = checksumOf(bytes);
  view.setUint32(8, checksum);
  return checksum;
}

/** Encoded parts as one piece. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** The batches that continue the log from `expected`, up to the first thing that is wrong. */
export function readSegment(bytes: Uint8Array, expected: Expected): SegmentContent {
  const wrongHeader = headerFault(bytes, expected);
  if (wrongHeader !== undefined) {
    return { batches: [], end: 0, fault: faultAt(bytes, 0, wrongHeader) };
  }
  const batches: FoundBatch[] = [];
  let next = expected;
  let term = 0;
  let end = HEADER;
  while (end < bytes.length) {
    const batch = batchAt(bytes, end);
    const wrong = batch === undefined ? 'no whole batch' : discontinuity(batch, next, term);
    if (batch === undefined || wrong !== undefined) {
      return { batches, end, fault: faultAt(bytes, end, wrong ?? 'no whole batch') };
    }
    batches.push(batch);
    next = { sequence: lastSequence(batch) + 1, checksum: batch.checksum };
    ({ term, end } = batch);
  }
  return { batches, end };
}

export function faultAt(bytes: Uint8Array, offset: number, reason: string): SegmentFault {
  const behind = validBatches(bytes, offset);
  const syncedBehind = behind.reduce((max, batch) => Math.max(max, batch.syncedSequence), 0);
  const otherVersion = otherVersionOf(bytes);
  return { offset, reason, otherVersion, validBehind: behind.length, syncedBehind };
}

/** Every whole batch from `offset` on, whatever is before it. */
export function validBatches(bytes: Uint8Array, offset = 0): readonly FoundBatch[] {
  const found: FoundBatch[] = [];
  let at = offset;
  while (at + FRAME <= bytes.length) {
    const batch = bytes[at] === BATCH_MAGIC >>> 24 ? batchAt(bytes, at) : undefined;
    if (batch !== undefined) found.push(batch);
    at = batch?.end ?? at + 1;
  }
  return found;
}

/** Where the segment that begins with these bytes continues the log; undefined when they are no whole header of ours. */
export function readHeader(bytes: Uint8Array): Expected | undefined {
  if (bytes.length < HEADER || !hasMagic(bytes) || !isHeaderWhole(bytes)) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(8) !== VERSION) return undefined;
  return { sequence: Number(view.getBigUint64(12)), checksum: view.getUint32(20) };
}

function headerFault(bytes: Uint8Array, expected: Expected): string | undefined {
  if (bytes.length < HEADER) return 'the header is not whole';
  if (!hasMagic(bytes)) return 'this is no segment';
  if (!isHeaderWhole(bytes)) return 'the header is damaged';
  const view = viewOf(bytes);
  if (view.getUint32(8) !== VERSION) return `its version is ${view.getUint32(8)}`;
  const sequence = Number(view.getBigUint64(12));
  if (sequence === expected.sequence && view.getUint32(20) === expected.checksum) return undefined;
  return `it continues behind row ${sequence - 1}, the log before it ends with ${expected.sequence - 1}`;
}

function otherVersionOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER || !hasMagic(bytes) || !isHeaderWhole(bytes)) return undefined;
  const version = viewOf(bytes).getUint32(8);
  return version === VERSION ? undefined : version;
}

function hasMagic(bytes: Uint8Array): boolean {
  return SEGMENT_MAGIC.every((byte, index) => bytes[index] === byte);
}

function isHeaderWhole(bytes: Uint8Array): boolean {
  return viewOf(bytes).getUint32(24) === crc32(bytes.subarray(0, 24));
}

function batchAt(bytes: Uint8Array, offset: number): FoundBatch | undefined {
  if (offset + FRAME > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const end = offset + FRAME + view.getUint32(4);
  if (view.getUint32(0) !== BATCH_MAGIC || end > bytes.length) return undefined;
  const checksum = view.getUint32(8);
  if (checksum !== checksumOf(bytes.subarray(offset, end))) return undefined;
  return {
    term: Number(view.getBigUint64(16)),
    firstSequence: Number(view.getBigUint64(24)),
    rowCount: view.getUint32(32),
    syncedSequence: Number(view.getBigUint64(36)),
    payload: bytes.subarray(offset + FRAME, end),
    checksum,
    previousChecksum: view.getUint32(12),
    end,
  };
}

function discontinuity(batch: FoundBatch, next: Expected, term: number): string | undefined {
  if (batch.firstSequence !== next.sequence) {
    return `row ${batch.firstSequence} follows where ${next.sequence} must`;
  }
  if (batch.previousChecksum !== next.checksum) return 'it does not belong to the batch before it';
  return batch.term < term ? `term ${batch.term} follows ${term}` : undefined;
}

/** Over the length too, which comes before the checksum. */
function checksumOf(batch: Uint8Array): number {
  return crc32(batch.subarray(CHECKED), crc32(batch.subarray(4, 8)));
}

function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 2 ** 32));
  view.setUint32(offset + 4, value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
