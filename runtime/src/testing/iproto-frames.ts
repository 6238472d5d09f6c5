/** Frames of the binary protocol as a client writes and reads them, for tests. */
import { key } from '../core/iproto/protocol.ts';
import { MsgpackReader } from '../core/msgpack/decode.ts';
import { MsgpackWriter } from '../core/msgpack/encode.ts';
import type { Value } from '../core/schema/values.ts';

export type Fields = readonly (readonly [key: number, value: Value])[];

/** One request; `more` are further fields of its header. */
export function requestFrame(
  type: number,
  sync: number,
  body: Fields,
  more: Fields = [],
): Uint8Array {
  const content = new MsgpackWriter();
  writeMap(content, [[key.REQUEST_TYPE, type], [key.SYNC, sync], ...more]);
  writeMap(content, body);
  const out = new MsgpackWriter();
  out.uint(content.length);
  out.raw(content.bytes, 0, content.length);
  return out.take();
}

export interface ReceivedReply {
  readonly code: number;
  readonly sync: number;
  readonly schemaVersion: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** All replies; the last may be cut off, and is then left out. */
export function readReplies(bytes: Uint8Array): readonly ReceivedReply[] {
  const replies: ReceivedReply[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const reader = new MsgpackReader(bytes, at);
    const length = reader.value() as number;
    if (reader.position + length > bytes.length) break;
    at = reader.position + length;
    const [code, sync, schemaVersion] = readHeader(reader);
    const body = reader.value() as Record<string, unknown>;
    replies.push({ code, sync, schemaVersion, body });
  }
  return replies;
}

function readHeader(reader: MsgpackReader): readonly [number, number, number] {
  const header = reader.value() as Record<string, number>;
  return [header['0'] ?? -1, header['1'] ?? -1, header['5'] ?? -1];
}

function writeMap(out: MsgpackWriter, fields: Fields): void {
  out.mapHeader(fields.length);
  for (const [name, value] of fields) {
    out.uint(name);
    out.value(value);
  }
}
