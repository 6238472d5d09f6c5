/**
 * Writes values as MessagePack, integers in as few bytes as they need.
 *
 * A number without a fraction is an integer up to 2^53; beyond, where a number may already have lost digits, only a
 * bigint is one.
 */
import { assert } from '../../foundation/assert.ts';
import { DateTime, dateTimeBytes } from '../schema/datetime.ts';
import { Decimal, decimalBytes } from '../schema/decimal.ts';
import type { Value } from '../schema/values.ts';
import { Extension, extensionType, writeUuid } from './extension.ts';

const FIRST_CAPACITY = 512;
/** Up to here a loop costs less than a call. */
const SHORT_TEXT = 48;
const SHORT_BYTES = 192;

const encoder = new TextEncoder();

/** The value alone, in bytes of its own. */
export function encode(value: Value | undefined): Uint8Array {
  const writer = new MsgpackWriter();
  writer.value(value);
  return writer.take();
}

export class MsgpackWriter {
  /** What is written, in its first `length` bytes; another buffer after each growth. */
  bytes: Uint8Array;
  length = 0;
  /** Made when it is first needed after a growth. */
  #lazyView: DataView | undefined;

  constructor(capacity = FIRST_CAPACITY) {
    this.bytes = new Uint8Array(capacity);
  }

  /** A copy of what is written; the writer is empty after it. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }

  value(value: Value | undefined): void {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
        return Number.isSafeInteger(value) ? this.integer(value) : this.double(value);
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2);
      case 'bigint':
        return this.#wide(value);
      case 'object':
        return value === null ? this.nil() : this.#object(value);
      default:
        return this.nil();
    }
  }

  nil(): void {
    this.#byte(0xc0);
  }

  /** An integer from -2^53 to 2^53. */
  integer(value: number): void {
    if (value >= 0) return this.uint(value);
    if (value >= -0x20) return this.#byte(value & 0xff);
    this.reserve(9);
    const at = this.length;
    if (value >= -0x80) {
      this.bytes[at] = 0xd0;
      this.bytes[at + 1] = value;
      this.length = at + 2;
    } else if (value >= -0x8000) {
      this.bytes[at] = 0xd1;
      this.#view.setInt16(at + 1, value);
      this.length = at + 3;
    } else if (value >= -0x8000_0000) {
      this.bytes[at] = 0xd2;
      this.#view.setInt32(at + 1, value);
      this.length = at + 5;
    } else {
      this.bytes[at] = 0xd3;
      this.#view.setInt32(at + 1, Math.floor(value / 0x1_0000_0000));
      this.#view.setUint32(at + 5, value >>> 0);
      this.length = at + 9;
    }
  }

  /** An integer from 0 to 2^53. */
  uint(value: number): void {
    this.reserve(9);
    const { bytes } = this;
    const at = this.length;
    if (value < 0x80) {
      bytes[at] = value;
      this.length = at + 1;
    } else if (value < 0x100) {
      bytes[at] = 0xcc;
      bytes[at + 1] = value;
      this.length = at + 2;
    } else if (value < 0x1_0000) {
      bytes[at] = 0xcd;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value;
      this.length = at + 3;
    } else if (value < 0x1_0000_0000) {
      bytes[at] = 0xce;
      this.#view.setUint32(at + 1, value);
      this.length = at + 5;
    } else {
      bytes[at] = 0xcf;
      this.#view.setUint32(at + 1, value / 0x1_0000_0000);
      this.#view.setUint32(at + 5, value >>> 0);
      this.length = at + 9;
    }
  }

  double(value: number): void {
    this.reserve(9);
    this.bytes[this.length] = 0xcb;
    this.#view.setFloat64(this.length + 1, value);
    this.length += 9;
  }

  float(value: number): void {
    this.reserve(5);
    this.bytes[this.length] = 0xca;
    this.#view.setFloat32(this.length + 1, value);
    this.length += 5;
  }

  arrayHeader(count: number): void {
    if (count < 16) this.#byte(0x90 | count);
    else this.#header(count, 0xdc, 0xdd);
  }

  mapHeader(count: number): void {
    if (count < 16) this.#byte(0x80 | count);
    else this.#header(count, 0xde, 0xdf);
  }

  text(value: string): void {
    const size = value.length;
    if (size > SHORT_TEXT) return this.#longText(value);
    this.reserve(size + 2);
    const { bytes } = this;
    const start = this.length + (size < 32 ? 1 : 2);
    for (let index = 0; index < size; index++) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) return this.#longText(value);
      bytes[start + index] = unit;
    }
    if (size < 32) {
      bytes[start - 1] = 0xa0 | size;
    } else {
      bytes[start - 2] = 0xd9;
      bytes[start - 1] = size;
    }
    this.length = start + size;
  }

  /** The bytes of a text follow, as UTF-8. */
  textHeader(size: number): void {
    if (size < 32) this.#byte(0xa0 | size);
    else if (size < 0x100) this.#header8(size, 0xd9);
    else this.#header(size, 0xda, 0xdb);
  }

  binary(value: Uint8Array): void {
    if (value.length < 0x100) this.#header8(value.length, 0xc4);
    else this.#header(value.length, 0xc5, 0xc6);
    this.raw(value, 0, value.length);
  }

  /** `text` is a UUID. */
  uuid(text: string): void {
    this.reserve(18);
    this.bytes[this.length] = 0xd8;
    this.bytes[this.length + 1] = extensionType.uuid;
    writeUuid(text, this.bytes, this.length + 2);
    this.length += 18;
  }

  /** Bytes that are MessagePack already. */
  raw(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.reserve(size);
    const { bytes, length } = this;
    if (size <= SHORT_BYTES) {
      for (let index = 0; index < size; index++)
        bytes[length + index] = from[start + index] as number;
    } else {
      bytes.set(from.subarray(start, end), length);
    }
    this.length = length + size;
  }

  /** Room for so many bytes more. */
  reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.#lazyView = undefined;
  }

  get #view(): DataView {
    this.#lazyView ??= new DataView(this.bytes.buffer);
    return this.#lazyView;
  }

  #longText(value: string): void {
    // Each unit of UTF-16 takes at most three bytes.
    this.reserve(3 * value.length + 5);
    const room = headerSizeOfText(3 * value.length);
    const target = this.bytes.subarray(this.length + room);
    const size = encoder.encodeInto(value, target).written;
    const header = headerSizeOfText(size);
    this.#moveText(size, header, room);
    this.length += header + size;
  }

  /** The room that was left for the length may be larger than the length needs. */
  #moveText(size: number, header: number, room: number): void {
    const { bytes, length } = this;
    if (header !== room) bytes.copyWithin(length + header, length + room, length + room + size);
    if (header === 1) bytes[length] = 0xa0 | size;
    else if (header === 2) bytes[length] = 0xd9;
    else bytes[length] = header === 3 ? 0xda : 0xdb;
    if (header === 2) bytes[length + 1] = size;
    else if (header === 3) this.#view.setUint16(length + 1, size);
    else if (header === 5) this.#view.setUint32(length + 1, size);
  }

  #object(value: object & Value): void {
    if (Array.isArray(value)) {
      this.arrayHeader(value.length);
      for (const item of value as readonly Value[]) this.value(item);
    } else if (value instanceof Uint8Array) this.binary(value);
    else if (value instanceof Decimal) this.#extension(extensionType.decimal, decimalBytes(value));
    else if (value instanceof DateTime)
      this.#extension(extensionType.dateTime, dateTimeBytes(value));
    else if (value instanceof Extension) this.#extension(value.type, value.bytes);
    else {
      const entries = Object.entries(value as { readonly [key: string]: Value });
      this.mapHeader(entries.length);
      for (const [key, item] of entries) {
        this.text(key);
        this.value(item);
      }
    }
  }

  #extension(type: number, content: Uint8Array): void {
    const size = content.length;
    const isFixed = size > 0 && size <= 16 && (size & (size - 1)) === 0;
    if (isFixed) this.#byte(0xd4 + 31 - Math.clz32(size));
    else if (size < 0x100) this.#header8(size, 0xc7);
    else this.#header(size, 0xc8, 0xc9);
    this.#byte(type);
    this.raw(content, 0, size);
  }

  #wide(value: bigint): void {
    const narrow = Number(value);
    if (Number.isSafeInteger(narrow)) return this.integer(narrow);
    assert(BigInt.asUintN(64, value) === value || BigInt.asIntN(64, value) === value, '64 bits');
    this.reserve(9);
    this.bytes[this.length] = value >= 0n ? 0xcf : 0xd3;
    this.#view.setBigUint64(this.length + 1, BigInt.asUintN(64, value));
    this.length += 9;
  }

  #byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  #header8(count: number, code: number): void {
    this.reserve(2);
    this.bytes[this.length] = code;
    this.bytes[this.length + 1] = count;
    this.length += 2;
  }

  #header(count: number, code16: number, code32: number): void {
    this.reserve(5);
    const at = this.length;
    if (count < 0x1_0000) {
      this.bytes[at] = code16;
      this.#view.setUint16(at + 1, count);
      this.length = at + 3;
    } else {
      this.bytes[at] = code32;
      this.#view.setUint32(at + 1, count);
      this.length = at + 5;
    }
  }
}

function headerSizeOfText(size: number): number {
  if (size < 32) return 1;
  if (size < 0x100) return 2;
  return size < 0x1_0000 ? 3 : 5;
}
