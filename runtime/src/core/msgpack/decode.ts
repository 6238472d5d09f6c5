/**
 * Reads values from MessagePack.
 *
 * The bytes are known to be valid (`checkedEnd` has accepted them, or we wrote them). Integers are numbers where these
 * are exact and bigints beyond 2^53. Keys of maps become text: a number its digits. A UUID is its text.
 */
import { DateTime, dateTimeFromBytes } from '../schema/datetime.ts';
import { Decimal, decimalFromBytes } from '../schema/decimal.ts';
import type { Value } from '../schema/values.ts';
import { Extension, extensionType, uuidText } from './extension.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** Up to here a loop costs less than a call. */
const SHORT_TEXT = 24;

export function decode(bytes: Uint8Array, at = 0): Value {
  return new MsgpackReader(bytes, at).value();
}

/** Reads value after value; `reset` gives it other bytes. */
export class MsgpackReader {
  position: number;
  #bytes: Uint8Array;
  #view: DataView | undefined;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.position = at;
  }

  reset(bytes: Uint8Array, at: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = undefined;
    }
    this.position = at;
  }

  value(): Value {
    const first = this.#bytes[this.position++] as number;
    if (first < 0x80) return first;
    if (first >= 0xe0) return first - 0x100;
    if (first >= 0xc0) return this.#long(first);
    if (first >= 0xa0) return this.#text(first & 0x1f);
    return first >= 0x90 ? this.#array(first & 0x0f) : this.#map(first & 0x0f);
  }

  /** The number of values in the array here; the position is then that of the first. */
  arrayHeader(): number {
    const first = this.#bytes[this.position++] as number;
    if (first < 0xa0) return first & 0x0f;
    return first === 0xdc ? this.#uint16() : this.#uint32();
  }

  #long(first: number): Value {
    switch (first) {
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint8());
      case 0xc5:
        return this.#binary(this.#uint16());
      case 0xc6:
        return this.#binary(this.#uint32());
      case 0xd9:
        return this.#text(this.#uint8());
      case 0xda:
        return this.#text(this.#uint16());
      case 0xdb:
        return this.#text(this.#uint32());
      case 0xdc:
        return this.#array(this.#uint16());
      case 0xdd:
        return this.#array(this.#uint32());
      default:
        return this.#rare(first);
    }
  }

  #rare(first: number): Value {
    switch (first) {
      case 0xde:
        return this.#map(this.#uint16());
      case 0xdf:
        return this.#map(this.#uint32());
      case 0xc7:
        return this.#extension(this.#uint8());
      case 0xc8:
        return this.#extension(this.#uint16());
      case 0xc9:
        return this.#extension(this.#uint32());
      default:
        if (first >= 0xd4) return this.#extension(1 << (first - 0xd4));
        return first === 0xc0 ? null : this.#number(first);
    }
  }

  #number(first: number): Value {
    switch (first) {
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return this.#wide(this.#uint32());
      case 0xd0:
        return (this.#uint8() << 24) >> 24;
      case 0xd1:
        return (this.#uint16() << 16) >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xd3:
        return this.#wide(this.#uint32() | 0);
      case 0xca:
        return this.#dataView().getFloat32(this.#take(4));
      default:
        return this.#dataView().getFloat64(this.#take(8));
    }
  }

  /** An integer of 64 bits by its upper half; the lower follows. */
  #wide(upper: number): number | bigint {
    const lower = this.#uint32();
    if (upper >= -0x20_0000 && upper < 0x20_0000) {
      const value = upper * 0x1_0000_0000 + lower;
      if (Number.isSafeInteger(value)) return value;
    }
    return (BigInt(upper) << 32n) | BigInt(lower);
  }

  #text(size: number): string {
    const bytes = this.#bytes;
    const start = this.#take(size);
    const end = start + size;
    if (size <= SHORT_TEXT) {
      let text = '';
      let at = start;
      for (; at < end; at++) {
        const byte = bytes[at] as number;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (at === end) return text;
    }
    return utf8.decode(bytes.subarray(start, end));
  }

  #binary(size: number): Uint8Array {
    const start = this.#take(size);
    // Not `slice`: of a Buffer that would be a view.
    const copy = new Uint8Array(size);
    copy.set(this.#bytes.subarray(start, start + size));
    return copy;
  }

  #array(count: number): readonly Value[] {
    const items: Value[] = [];
    for (let index = 0; index < count; index++) items.push(this.value());
    return items;
  }

  #map(count: number): { readonly [key: string]: Value } {
    const map: Record<string, Value> = {};
    for (let index = 0; index < count; index++) {
      const key = this.value();
      const name = typeof key === 'string' ? key : keyText(key);
      const value = this.value();
      // Assigning it would change the prototype instead of adding a key.
      if (name === '__proto__') Object.defineProperty(map, name, { ...OWN, value });
      else map[name] = value;
    }
    return map;
  }

  #extension(size: number): Value {
    const type = (this.#uint8() << 24) >> 24;
    const start = this.#take(size);
    const bytes = this.#bytes;
    const known = knownExtension(type, bytes, start, start + size);
    return known ?? new Extension(type, Uint8Array.from(bytes.subarray(start, start + size)));
  }

  #uint8(): number {
    return this.#bytes[this.position++] as number;
  }

  #uint16(): number {
    const at = this.#take(2);
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  #uint32(): number {
    return this.#uint16() * 0x1_0000 + this.#uint16();
  }

  #take(size: number): number {
    const at = this.position;
    this.position = at + size;
    return at;
  }

  #dataView(): DataView {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    return this.#view;
  }
}

const OWN = { enumerable: true, configurable: true, writable: true } as const;

/** Arrays and maps as keys have no text of their own. */
function keyText(key: Value): string {
  if (typeof key !== 'object' || key === null) return String(key);
  return key instanceof Decimal || key instanceof DateTime ? key.toString() : '[object]';
}

function knownExtension(
  type: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Value | undefined {
  if (type === extensionType.decimal) return decimalFromBytes(bytes, start, end);
  if (type === extensionType.dateTime) return dateTimeFromBytes(bytes, start, end);
  return type === extensionType.uuid && end - start === 16 ? uuidText(bytes, start) : undefined;
}
