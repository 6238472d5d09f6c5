/**
 * Writes replies into a growable buffer, as Tarantool lays them out: a frame and a header of fixed size, so that what
 * is not known at the beginning is filled in at the end, and an encoded reply can still be answered with an error.
 */
import { ClusterError } from '../errors.ts';
import { MsgpackWriter } from '../msgpack/encode.ts';
import type { Value } from '../schema/values.ts';
import type { ProtocolError } from './describe-error.ts';
import { base64 } from './greeting.ts';
import { ERROR_FLAG, key, requestType } from './protocol.ts';

/** Length 5, map, code 1+5, sync 1+9, schema version 1+5. */
export const REPLY_HEADER_SIZE = 28;
const FRAME = 5;
const CODE_AT = 8;
const SYNC_AT = 14;
/** Behind the header: map, key of the data, array of 32 bits. */
const COUNT_AT = REPLY_HEADER_SIZE + 3;

/** Which request is answered. */
export interface ReplyHead {
  readonly syncHigh: number;
  readonly syncLow: number;
}

/** Takes the tuples of a result, as the port's `TupleSink`. */
export class ReplyWriter {
  readonly #mostBytes: number;
  #out = new MsgpackWriter(REPLY_HEADER_SIZE);
  #start = 0;
  #count = 0;
  #lastAt = -1;

  /** A reply that would be larger is refused. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Tuples of the reply under way. */
  get count(): number {
    return this.#count;
  }

  /** Begins a reply of tuples at the end of `out`. */
  open(out: MsgpackWriter, head: ReplyHead, schemaVersion: number): void {
    this.#start = out.length;
    this.#out = out;
    this.#count = 0;
    this.#lastAt = -1;
    writeHeader(out, 0, head, schemaVersion);
    out.reserve(7);
    const { bytes, length } = out;
    bytes[length] = 0x81;
    bytes[length + 1] = key.DATA;
    bytes[length + 2] = 0xdd;
    out.length = length + 7;
  }

  tuple(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out;
    if (out.length - this.#start + end - start > this.#mostBytes) this.#refuse();
    this.#lastAt = out.length;
    out.raw(bytes, start, end);
    this.#count += 1;
  }

  value(value: Value): void {
    this.#lastAt = this.#out.length;
    this.#out.value(value);
    this.#count += 1;
  }

  /** Adds where the page ends, for the client to begin the next one there. */
  position(): void {
    const out = this.#out;
    if (this.#lastAt < 0) return;
    const last = base64(out.bytes.subarray(this.#lastAt, out.length));
    out.bytes[this.#start + REPLY_HEADER_SIZE] = 0x82;
    out.uint(key.POSITION);
    out.text(last);
  }

  close(): void {
    const { bytes } = this.#out;
    writeUint32(bytes, this.#start + COUNT_AT, this.#count);
    closeFrame(this.#out, this.#start);
  }

  /** Takes back what was written of the reply under way. */
  abandon(): void {
    this.#out.length = this.#start;
  }

  /** A copy of the tuples of the reply that was closed last. */
  data(): Uint8Array {
    return this.#out.bytes.slice(this.#start + COUNT_AT, this.#out.length);
  }

  #refuse(): never {
    throw new ClusterError('REQUEST_INVALID', {
      field: 'limit',
      message: `The result is larger than ${this.#mostBytes} bytes: ask for fewer rows at a time.`,
    });
  }
}

/** A reply without data. */
export function writeOk(out: MsgpackWriter, head: ReplyHead, schemaVersion: number): void {
  writeHeader(out, 0, head, schemaVersion);
  out.reserve(1);
  const { bytes } = out;
  const end = out.length;
  bytes[end] = 0x80;
  out.length = end + 1;
  bytes[end - REPLY_HEADER_SIZE + 4] = REPLY_HEADER_SIZE + 1 - FRAME;
}

/** A reply, or with a type an event, whose body is a map. */
export function writeBody(
  out: MsgpackWriter,
  head: ReplyHead & { readonly type?: number },
  schemaVersion: number,
  body: readonly (readonly [key: number, value: Value])[],
): void {
  const start = out.length;
  writeHeader(out, head.type ?? 0, head, schemaVersion);
  out.mapHeader(body.length);
  for (const [name, value] of body) {
    out.uint(name);
    out.value(value);
  }
  closeFrame(out, start);
}

export interface ErrorHead extends ReplyHead {
  readonly schemaVersion: number;
  /** The client has said that it reads more than number and message. */
  readonly hasStack: boolean;
}

const STACK = { type: 0, file: 1, line: 2, message: 3, errno: 4, number: 5, fields: 6 } as const;

export function writeError(out: MsgpackWriter, head: ErrorHead, error: ProtocolError): void {
  const start = out.length;
  writeHeader(out, ERROR_FLAG | error.number, head, head.schemaVersion);
  out.mapHeader(head.hasStack ? 2 : 1);
  out.uint(key.ERROR_24);
  out.text(error.message);
  if (head.hasStack) writeStack(out, error);
  closeFrame(out, start);
}

function writeStack(out: MsgpackWriter, error: ProtocolError): void {
  out.uint(key.ERROR);
  out.mapHeader(1);
  out.uint(0);
  out.arrayHeader(1);
  const fields: readonly (readonly [number, Value])[] = [
    [STACK.type, 'ClientError'],
    [STACK.file, ''],
    [STACK.line, 0],
    [STACK.message, error.message],
    [STACK.errno, 0],
    [STACK.number, error.number],
    [STACK.fields, error.code === undefined ? {} : { name: error.code }],
  ];
  out.mapHeader(fields.length);
  for (const [name, value] of fields) {
    out.uint(name);
    out.value(value);
  }
}

/** Whom the encoded reply at `start` answers. */
export function headOf(bytes: Uint8Array, start: number): ReplyHead {
  return {
    syncHigh: readUint32(bytes, start + SYNC_AT),
    syncLow: readUint32(bytes, start + SYNC_AT + 4),
  };
}

function writeHeader(
  out: MsgpackWriter,
  code: number,
  head: ReplyHead,
  schemaVersion: number,
): void {
  out.reserve(REPLY_HEADER_SIZE);
  const { bytes, length: at } = out;
  bytes[at] = 0xce;
  bytes[at + 1] = bytes[at + 2] = bytes[at + 3] = bytes[at + 4] = 0;
  bytes[at + 5] = 0x83;
  bytes[at + 6] = key.REQUEST_TYPE;
  bytes[at + 7] = 0xce;
  writeUint32(bytes, at + CODE_AT, code);
  bytes[at + 12] = key.SYNC;
  bytes[at + 13] = 0xcf;
  writeUint32(bytes, at + SYNC_AT, head.syncHigh);
  writeUint32(bytes, at + SYNC_AT + 4, head.syncLow);
  bytes[at + 22] = key.SCHEMA_VERSION;
  bytes[at + 23] = 0xce;
  writeUint32(bytes, at + 24, schemaVersion);
  out.length = at + REPLY_HEADER_SIZE;
}

function closeFrame(out: MsgpackWriter, start: number): void {
  writeUint32(out.bytes, start + 1, out.length - start - FRAME);
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** What an event is sent as: nobody has asked for it. */
export const eventHead = { type: requestType.EVENT, syncHigh: 0, syncLow: 0 } as const;
