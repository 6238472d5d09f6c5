/** The 128 bytes with which a server opens a connection, and the proof of a password that answers its salt. */
import { sha1 } from '@noble/hashes/legacy.js';

export const GREETING_SIZE = 128;
/** As many bytes as connectors read of the salt's text. */
export const SALT_SIZE = 32;
export const SCRAMBLE_SIZE = 20;

const LINE = 64;
/** Connectors choose by it what they use; what works is told by features. */
const VERSION = 'Tarantool 2.11.0 (Binary)';

export function greeting(instanceUuid: string, salt: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(GREETING_SIZE).fill(0x20);
  writeAscii(bytes, 0, `${VERSION} ${instanceUuid}`.slice(0, LINE - 1));
  bytes[LINE - 1] = 0x0a;
  writeAscii(bytes, LINE, base64(salt));
  bytes[GREETING_SIZE - 1] = 0x0a;
  return bytes;
}

/** What a client that knows `password` answers: sha1(password) xor sha1(salt, sha1(sha1(password))). */
export function chapSha1(password: string, salt: Uint8Array): Uint8Array {
  const once = sha1(new TextEncoder().encode(password));
  const seed = new Uint8Array(2 * SCRAMBLE_SIZE);
  seed.set(salt.subarray(0, SCRAMBLE_SIZE));
  seed.set(sha1(once), SCRAMBLE_SIZE);
  return sha1(seed).map((byte, index) => byte ^ (once[index] ?? 0));
}

/** Takes as long for a wrong scramble as for a right one. */
export function provesPassword(password: string, salt: Uint8Array, scramble: Uint8Array): boolean {
  const wanted = chapSha1(password, salt);
  if (scramble.length !== wanted.length) return false;
  let difference = 0;
  for (let index = 0; index < wanted.length; index++) {
    difference |= (wanted[index] ?? 0) ^ (scramble[index] ?? 0);
  }
  return difference === 0;
}

function writeAscii(bytes: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += ALPHABET.charAt(group >>> 18) + ALPHABET.charAt((group >>> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((group >>> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(group & 63) : '=';
  }
  return text;
}

/** Undefined where the text is no base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let group = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = ALPHABET.indexOf(digits.charAt(index));
    if (digit < 0) return undefined;
    group = ((group << 6) | digit) & 0xffffff;
    const filled = Math.floor(((index + 1) * 6) / 8);
    if (filled > Math.floor((index * 6) / 8)) bytes[filled - 1] = group >>> (((index + 1) * 6) % 8);
  }
  return bytes;
}
