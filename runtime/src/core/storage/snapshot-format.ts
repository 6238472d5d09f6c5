/**
 * Bytes of a snapshot: a header, blocks of rows, and an end. Bytes in, bytes out.
 *
 * The header says from which position on the log has to be applied to the rows, and the terms of all rows before it:
 * with them a log whose beginning is gone can still be compared with others. The end says up to which position the
 * log has to be applied before the rows make a state that ever was. Each part carries the checksum of the one
 * before it; only what ends with a valid end, and nothing behind it, is a snapshot.
 *
 * Version 1, big endian.
 * Header: magic 8, version 4, length of all the header 4, start term 8, start sequence 8, runs 4,
 *         runs of (term 8, first sequence 8, last sequence 8), checksum of these 4.
 * Block:  magic 4, payload length 4, checksum of what follows and of the length 4, checksum of the part before 4,
 *         rows 4, zero 4, payload.
 * End:    as a block with another magic; payload: end term 8, end sequence 8, rows of all blocks 8.
 */
import type { Position } from '../../contract/instance-status.ts';
import { assert } from '../../foundation/assert.ts';
import type { TermRun } from '../replication/term-history.ts';
import { crc32 } from './crc32.ts';
import { PAYLOAD_HEADROOM } from './row-writer.ts';

export interface SnapshotHeader {
  /** All rows up to here are in the blocks, unless later ones changed them. */
  readonly start: Position;
  /** The terms of all rows up to the start. */
  readonly runs: readonly TermRun[];
}

export type SnapshotPart =
  | ({ readonly kind: 'header' } & SnapshotHeader)
  | { readonly kind: 'block'; readonly rowCount: number; readonly payload: Uint8Array }
  | { readonly kind: 'end'; readonly position: Position; readonly rowCount: number };

export interface FoundPart {
  readonly part: SnapshotPart;
  readonly checksum: number;
  /** Behind its last byte. */
  readonly end: number;
}

export interface EncodedPart {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

export const SNAPSHOT_VERSION = 1;
const MAGIC = new TextEncoder().encode('TNRM-SNP');
const FIXED_HEADER = 36;
const RUN = 24;
const BLOCK_MAGIC = 0xd57a_51b0;
const END_MAGIC = 0xd57a_51e0;
const FRAME = 24;
const CHECKED = 12;
const END_PAYLOAD = 24;
export const SNAPSHOT_END_BYTES = FRAME + END_PAYLOAD;
/** So much of a file is enough to know how long its header is. */
export const SNAPSHOT_HEADER_START = 16;

export function encodeSnapshotHeader({ start, runs }: SnapshotHeader): EncodedPart {
  const length = FIXED_HEADER + RUN * runs.length + 4;
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, SNAPSHOT_VERSION);
  view.setUint32(12, length);
  view.setBigUint64(16, BigInt(start.term));
  view.setBigUint64(24, BigInt(start.sequence));
  view.setUint32(32, runs.length);
  for (const [index, run] of runs.entries()) {
    const at = FIXED_HEADER + RUN * index;
    view.setBigUint64(at, BigInt(run.term));
    view.setBigUint64(at + 8, BigInt(run.first));
    view.setBigUint64(at + 16, BigInt(run.last));
  }
  const checksum = crc32(bytes.subarray(0, length - 4));
  view.setUint32(length - 4, checksum);
  return { bytes, checksum };
}

/** The payload is one of `RowWriter.take`: the frame is written into the free bytes before it. */
export function encodeBlock(payload: Uint8Array, rowCount: number, previous: number): EncodedPart {
  assert(payload.byteOffset >= PAYLOAD_HEADROOM, 'there is room for a frame before the payload');
  const bytes = new Uint8Array(payload.buffer, payload.byteOffset - FRAME, FRAME + payload.length);
  return frame(bytes, BLOCK_MAGIC, rowCount, previous);
}

export function encodeSnapshotEnd(
  position: Position,
  rowCount: number,
  previous: number,
): EncodedPart {
  const bytes = new Uint8Array(SNAPSHOT_END_BYTES);
  const view = viewOf(bytes);
  view.setBigUint64(FRAME, BigInt(position.term));
  view.setBigUint64(FRAME + 8, BigInt(position.sequence));
  view.setBigUint64(FRAME + 16, BigInt(rowCount));
  return frame(bytes, END_MAGIC, 0, previous);
}

/** The length of the header that begins so; undefined when these are no beginning of a snapshot of this version. */
export function snapshotHeaderLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < SNAPSHOT_HEADER_START || !hasMagic(bytes)) return undefined;
  const view = viewOf(bytes);
  return view.getUint32(8) === SNAPSHOT_VERSION ? view.getUint32(12) : undefined;
}

/** The version of a snapshot that is not of this one. */
export function otherSnapshotVersion(bytes: Uint8Array): number | undefined {
  if (bytes.length < SNAPSHOT_HEADER_START || !hasMagic(bytes)) return undefined;
  const version = viewOf(bytes).getUint32(8);
  return version === SNAPSHOT_VERSION ? undefined : version;
}

export function readSnapshotHeader(bytes: Uint8Array): FoundPart | undefined {
  const length = snapshotHeaderLength(bytes);
  if (length === undefined || length > bytes.length || length < FIXED_HEADER + 4) return undefined;
  const view = viewOf(bytes);
  const checksum = crc32(bytes.subarray(0, length - 4));
  const count = view.getUint32(32);
  if (view.getUint32(length - 4) !== checksum || FIXED_HEADER + RUN * count + 4 !== length) {
    return undefined;
  }
  const start = positionAt(view, 16);
  const runs = Array.from({ length: count }, (_, index) => {
    const at = FIXED_HEADER + RUN * index;
    return {
      term: Number(view.getBigUint64(at)),
      first: Number(view.getBigUint64(at + 8)),
      last: Number(view.getBigUint64(at + 16)),
    };
  });
  return { part: { kind: 'header', start, runs }, checksum, end: length };
}

/** How long the part at `offset` says to be; undefined when its beginning is not there, or is none of a part. */
export function partLength(bytes: Uint8Array, offset: number): number | undefined {
  if (offset + FRAME > bytes.length) return undefined;
  const view = viewOf(bytes);
  const magic = view.getUint32(offset);
  if (magic !== BLOCK_MAGIC && magic !== END_MAGIC) return undefined;
  return FRAME + view.getUint32(offset + 4);
}

/** The block or end at `offset`; undefined when it is not whole, or is not what followed `previous`. */
export function readPart(
  bytes: Uint8Array,
  offset: number,
  previous: number,
): FoundPart | undefined {
  const length = partLength(bytes, offset);
  if (length === undefined || offset + length > bytes.length) return undefined;
  const view = viewOf(bytes);
  const whole = bytes.subarray(offset, offset + length);
  const checksum = view.getUint32(offset + 8);
  if (checksumOf(whole) !== checksum || view.getUint32(offset + 12) !== previous) return undefined;
  const end = offset + length;
  if (view.getUint32(offset) === BLOCK_MAGIC) {
    const payload = bytes.subarray(offset + FRAME, end);
    return {
      part: { kind: 'block', rowCount: view.getUint32(offset + 16), payload },
      checksum,
      end,
    };
  }
  if (length !== SNAPSHOT_END_BYTES) return undefined;
  const position = positionAt(view, offset + FRAME);
  const rowCount = Number(view.getBigUint64(offset + FRAME + 16));
  return { part: { kind: 'end', position, rowCount }, checksum, end };
}

function frame(bytes: Uint8Array, magic: number, rowCount: number, previous: number): EncodedPart {
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, bytes.length - FRAME);
  view.setUint32(12, previous);
  view.setUint32(16, rowCount);
  view.setUint32(20, 0);
  const checksum = checksumOf(bytes);
  view.setUint32(8, checksum);
  return { bytes, checksum };
}

/** Over the length too, which comes before the checksum. */
function checksumOf(part: Uint8Array): number {
  return crc32(part.subarray(CHECKED), crc32(part.subarray(0, 8)));
}

function positionAt(view: DataView, offset: number): Position {
  return {
    term: Number(view.getBigUint64(offset)),
    sequence: Number(view.getBigUint64(offset + 8)),
  };
}

function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
