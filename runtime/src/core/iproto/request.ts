/**
 * Reads requests of the binary protocol: one object is filled anew for each, with positions into the buffer that was
 * read from the socket.
 *
 * Nothing in a frame is trusted: every value is walked to its end within the frame before its position is kept, so
 * whoever gets positions from here reads whole MessagePack of the kind the key asks for.
 */
import { checkedEnd } from '../msgpack/skip.ts';
import { missingField } from './missing-field.ts';
import { key, requestType } from './protocol.ts';
import { RequestFields } from './request-fields.ts';
import { RequestShape } from './request-shape.ts';

const ARRAY_OF_ONE = 0x91;
/** Shapes are kept by a byte that is the type of most clients' requests. */
const SHAPES = 16;
const TYPE_AT = 2;

/** What is wrong with a frame, as Tarantool says it behind "Invalid MsgPack - ". */
export type FrameFault = 'packet header' | 'packet body';

/** Also what `ports/iproto-storage.ts` calls a `DataRequest`. */
export class IprotoRequest extends RequestFields {
  #misses = 0;
  readonly #shapes = new Array<RequestShape | undefined>(SHAPES).fill(undefined);

  /** Fills this with the frame from `at` (behind its length) to `end`. What was wrong, if anything. */
  read(bytes: Uint8Array, at: number, end: number): FrameFault | undefined {
    const shapeAt = (bytes[at + TYPE_AT] as number) & (SHAPES - 1);
    const shape = this.#shapes[shapeAt];
    if (shape?.fits(bytes, at, end) === true && this.#readLast(shape, bytes, at, end)) {
      return undefined;
    }
    const fault = this.#readAll(bytes, at, end);
    // Those who never ask twice alike should not pay for it.
    if (fault === undefined && (this.#misses++ & 7) === 0) this.#shapes[shapeAt] = this.#shape(end);
    return fault;
  }

  #shape(end: number): RequestShape | undefined {
    const isRows = this.type >= requestType.SELECT && this.type <= requestType.DELETE;
    const isWhole =
      isRows && this.streamId === 0 && this.schemaVersion === 0 && missingField(this) === undefined;
    return RequestShape.of(this, end, isWhole);
  }

  #readLast(shape: RequestShape, bytes: Uint8Array, at: number, end: number): boolean {
    const lastAt = at + shape.lastAt;
    if (!isArray(bytes, lastAt) || valueEnd(bytes, lastAt, end) !== end) return false;
    if (this.hasRare) this.#clearRare();
    this.bytes = bytes;
    this.type = shape.type;
    this.schemaVersion = shape.schemaVersion;
    this.streamId = shape.streamId;
    this.space = shape.space;
    this.index = shape.index;
    this.iterator = shape.iterator;
    this.limit = shape.limit;
    this.offset = shape.offset;
    this.indexBase = shape.indexBase;
    this.isWhole = shape.isWhole;
    this.frameAt = at;
    this.syncAt = at + shape.syncAt;
    this.syncHigh = highBits(bytes, this.syncAt);
    this.syncLow = lowBits(bytes, this.syncAt);
    this.spaceAt = shape.spaceAt < 0 ? -1 : at + shape.spaceAt;
    this.limitAt = shape.limitAt < 0 ? -1 : at + shape.limitAt;
    this.operationsAt = this.afterAt = -1;
    this.keyAt = shape.isKeyLast ? lastAt : -1;
    this.keyEnd = shape.isKeyLast ? end : -1;
    this.tupleAt = shape.isKeyLast ? -1 : lastAt;
    this.tupleEnd = shape.isKeyLast ? -1 : end;
    return true;
  }

  #readAll(bytes: Uint8Array, at: number, end: number): FrameFault | undefined {
    this.#clear(bytes);
    this.frameAt = at;
    const body = this.#readHeader(at, end);
    if (body < 0) return 'packet header';
    if (body === end) return undefined;
    if (!this.#readBody(body, end)) return 'packet body';
    if (this.type === requestType.UPDATE) {
      // An update carries its operations where others carry a tuple.
      this.operationsAt = this.tupleAt;
      this.tupleAt = -1;
    }
    return undefined;
  }

  #clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.type = this.syncHigh = this.syncLow = this.schemaVersion = this.streamId = 0;
    this.space = this.index = this.iterator = this.offset = this.indexBase = 0;
    this.limit = 0xffffffff;
    this.keyAt = this.tupleAt = this.tupleEnd = this.operationsAt = this.afterAt = -1;
    this.spaceAt = this.limitAt = this.syncAt = this.keyEnd = -1;
    this.isWhole = false;
    if (this.hasRare) this.#clearRare();
  }

  #clearRare(): void {
    this.hasRare = this.fetchesPosition = false;
    this.spaceNameAt = this.indexNameAt = this.functionAt = this.userAt = -1;
    this.eventKeyAt = this.afterPositionAt = this.versionAt = this.featuresAt = -1;
    this.timeoutAt = -1;
  }

  /** Where the body begins, or -1. */
  #readHeader(start: number, end: number): number {
    const { bytes } = this;
    let left = mapSize(bytes, start, end);
    if (left < 0) return -1;
    let at = start + mapHeaderSize(bytes, start);
    let hasType = false;
    for (; left > 0; left--) {
      const valueAt = valueEnd(bytes, at, end);
      if (valueAt < 0) return -1;
      const next = valueEnd(bytes, valueAt, end);
      if (next < 0) return -1;
      const name = readUint(bytes, at);
      at = next;
      if (name < 0 || name > key.STREAM_ID) continue;
      if (!this.#takeHeader(name, valueAt)) return -1;
      hasType ||= name === key.REQUEST_TYPE;
    }
    return hasType ? at : -1;
  }

  #takeHeader(name: number, at: number): boolean {
    switch (name) {
      case key.REQUEST_TYPE:
        this.type = readUint(this.bytes, at);
        return this.type >= 0;
      case key.SYNC:
        if (readUint(this.bytes, at) < 0) return false;
        this.syncAt = at;
        this.syncHigh = highBits(this.bytes, at);
        this.syncLow = lowBits(this.bytes, at);
        return true;
      case key.SCHEMA_VERSION:
        this.schemaVersion = readUint(this.bytes, at);
        return this.schemaVersion >= 0;
      case key.STREAM_ID:
        this.streamId = readUint(this.bytes, at);
        return this.streamId >= 0 && this.streamId <= Number.MAX_SAFE_INTEGER;
      default:
        return true;
    }
  }

  #readBody(start: number, end: number): boolean {
    const { bytes } = this;
    let left = mapSize(bytes, start, end);
    if (left < 0) return false;
    let at = start + mapHeaderSize(bytes, start);
    for (; left > 0; left--) {
      const valueAt = valueEnd(bytes, at, end);
      if (valueAt < 0) return false;
      const next = valueEnd(bytes, valueAt, end);
      if (next < 0) return false;
      const name = readUint(bytes, at);
      at = next;
      if (name < 0) continue;
      if (!(name < key.KEY ? this.#takeNumber(name, valueAt) : this.#take(name, valueAt, next))) {
        return false;
      }
    }
    return at === end;
  }

  /** Those of select come first: they are the most frequent. */
  #takeNumber(name: number, at: number): boolean {
    switch (name) {
      case key.SPACE_ID:
        this.spaceAt = at;
        return (this.space = readUint(this.bytes, at)) >= 0;
      case key.INDEX_ID:
        return (this.index = readUint(this.bytes, at)) >= 0;
      case key.LIMIT:
        this.limitAt = at;
        return (this.limit = readUint(this.bytes, at)) >= 0;
      case key.OFFSET:
        return (this.offset = readUint(this.bytes, at)) >= 0;
      case key.ITERATOR:
        return (this.iterator = readUint(this.bytes, at)) >= 0;
      case key.INDEX_BASE:
        return (this.indexBase = readUint(this.bytes, at)) >= 0;
      case key.FETCH_POSITION:
        this.hasRare = true;
        this.fetchesPosition = this.bytes[at] === 0xc3;
        return this.fetchesPosition || this.bytes[at] === 0xc2;
      default:
        return true;
    }
  }

  #take(name: number, at: number, end: number): boolean {
    switch (name) {
      case key.KEY:
        this.keyAt = at;
        this.keyEnd = end;
        return isArray(this.bytes, at);
      case key.TUPLE:
        this.tupleAt = at;
        this.tupleEnd = end;
        return isArray(this.bytes, at);
      case key.OPS:
        this.operationsAt = at;
        return isArray(this.bytes, at);
      case key.AFTER_TUPLE:
        this.afterAt = at;
        return isArray(this.bytes, at);
      default:
        return this.#takeRare(name, at);
    }
  }

  #takeRare(name: number, at: number): boolean {
    this.hasRare = true;
    switch (name) {
      case key.FUNCTION_NAME:
        this.functionAt = at;
        return isText(this.bytes, at);
      case key.USER_NAME:
        this.userAt = at;
        return isText(this.bytes, at);
      case key.EVENT_KEY:
        this.eventKeyAt = at;
        return isText(this.bytes, at);
      case key.SPACE_NAME:
        this.spaceNameAt = at;
        return isText(this.bytes, at);
      case key.INDEX_NAME:
        this.indexNameAt = at;
        return isText(this.bytes, at);
      case key.AFTER_POSITION:
        this.afterPositionAt = at;
        return isText(this.bytes, at);
      default:
        return this.#takePart(name, at);
    }
  }

  #takePart(name: number, at: number): boolean {
    if (name === key.VERSION) {
      this.versionAt = at;
      return readUint(this.bytes, at) >= 0;
    }
    if (name === key.FEATURES) {
      this.featuresAt = at;
      return isArray(this.bytes, at);
    }
    if (name === key.TIMEOUT) this.timeoutAt = at;
    return true;
  }
}

/** Where the value at `at` ends, or -1: numbers, short texts, and keys of one of them are most of what comes. */
function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at] as number;
  if (first < 0x80) return at + 1;
  if (first >= 0xcc && first <= 0xcf) return within(at + 1 + (1 << (first - 0xcc)), end);
  if ((first & 0xe0) === 0xa0) return within(at + 1 + (first & 0x1f), end);
  const second = bytes[at + 1] as number;
  if (first !== ARRAY_OF_ONE || (second & 0xe0) !== 0xa0) return checkedEnd(bytes, at, end);
  return within(at + 2 + (second & 0x1f), end);
}

function within(next: number, end: number): number {
  return next <= end ? next : -1;
}

/** The length of the frame that begins at `at`: -1 when more bytes are needed, -2 when it is no length. */
export function frameLength(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const code = bytes[at] as number;
  const size = lengthSize(code);
  if (size < 0) return -2;
  if (at + size > end) return -1;
  return readUint(bytes, at);
}

/** How many bytes a frame's length takes, by the first of them; -1 when it is none. */
export function lengthSize(code: number): number {
  if (code < 0x80) return 1;
  return code >= 0xcc && code <= 0xcf ? 1 + (1 << (code - 0xcc)) : -1;
}

/** An unsigned integer of any width, or -1. Beyond 2^53 it is only near. */
export function readUint(bytes: Uint8Array, at: number): number {
  const code = bytes[at] as number;
  if (code < 0x80) return code;
  if (code < 0xcc || code > 0xcf) return -1;
  const low = lowBits(bytes, at);
  return code === 0xcf ? highBits(bytes, at) * 0x1_0000_0000 + low : low;
}

/** The halves of an unsigned integer, which the caller knows to be one. */
function highBits(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0xcf ? bits(bytes, at + 1, 4) : 0;
}

function lowBits(bytes: Uint8Array, at: number): number {
  const code = bytes[at] as number;
  if (code < 0x80) return code;
  if (code === 0xcf) return bits(bytes, at + 5, 4);
  return bits(bytes, at + 1, 1 << (code - 0xcc));
}

function bits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index++) value = (value << 8) | (bytes[at + index] as number);
  return value >>> 0;
}

function isArray(bytes: Uint8Array, at: number): boolean {
  const code = bytes[at] as number;
  return (code & 0xf0) === 0x90 || code === 0xdc || code === 0xdd;
}

function isText(bytes: Uint8Array, at: number): boolean {
  const code = bytes[at] as number;
  return (code & 0xe0) === 0xa0 || (code >= 0xd9 && code <= 0xdb);
}

/** Pairs of the map at `at`, or -1. */
function mapSize(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const code = bytes[at] as number;
  if ((code & 0xf0) === 0x80) return code & 15;
  if (at + mapHeaderSize(bytes, at) > end) return -1;
  if (code === 0xde) return bits(bytes, at + 1, 2);
  return code === 0xdf ? bits(bytes, at + 1, 4) : -1;
}

function mapHeaderSize(bytes: Uint8Array, at: number): number {
  const code = bytes[at] as number;
  if (code === 0xde) return 3;
  return code === 0xdf ? 5 : 1;
}

/** The bytes of the text or binary at `at`, as they came: a scramble is sent as a text that is none. */
export function rawContent(bytes: Uint8Array, at: number, end: number): Uint8Array | undefined {
  const code = bytes[at] as number;
  if ((code & 0xe0) === 0xa0) return bytes.slice(at + 1, end);
  const width = code >= 0xd9 && code <= 0xdb ? code - 0xd9 : code - 0xc4;
  if (width < 0 || width > 2) return undefined;
  return bytes.slice(at + 1 + (1 << width), end);
}
