/** Extensions of MessagePack: those that are values here, and one that is kept as it came. */

export const extensionType = { decimal: 1, uuid: 2, dateTime: 4 } as const;

/** A value of a type that is not known here; it is written again as it was read. */
export class Extension {
  readonly type: number;
  readonly bytes: Uint8Array;

  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
    Object.freeze(this);
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function uuidText(bytes: Uint8Array, start: number): string {
  let text = '';
  for (let index = 0; index < 16; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += HEX[bytes[start + index] ?? 0] ?? '';
  }
  return text;
}

/** `text` is a UUID in hexadecimal digits with its four hyphens. */
export function writeUuid(text: string, bytes: Uint8Array, start: number): void {
  let at = 0;
  for (let index = 0; index < 16; index++) {
    if (text.charCodeAt(at) === 0x2d) at++;
    bytes[start + index] = (digit(text, at) << 4) | digit(text, at + 1);
    at += 2;
  }
}

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code <= 0x39 ? code - 0x30 : (code & 0xdf) - 0x37;
}
