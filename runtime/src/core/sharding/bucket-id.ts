/**
 * Which bucket a key belongs to: the same as vshard's `bucket_id_strcrc32`, because data and clients move over.
 *
 * The hash is CRC-32C over the texts of the key's parts, one after another, as Lua's `tostring` gives them, begun
 * with all ones and without the usual final inversion. Buckets count from 1.
 */
import { ClusterError } from '../errors.ts';

export type ShardKeyPart = string | number | bigint | boolean;

export function bucketIdStrCrc32(
  key: ShardKeyPart | readonly ShardKeyPart[],
  bucketCount: number,
): number {
  const parts = Array.isArray(key) ? (key as readonly ShardKeyPart[]) : [key as ShardKeyPart];
  return (strCrc32(parts) % bucketCount) + 1;
}

export function strCrc32(parts: readonly ShardKeyPart[]): number {
  const encoder = new TextEncoder();
  let crc = 0xffff_ffff;
  for (const part of parts) {
    for (const byte of encoder.encode(luaText(part))) {
      crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
    }
  }
  return crc >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc >>> 0;
});

/** Tarantool reads whole numbers from 10^14 on as 64-bit integers, which Lua writes with a suffix. */
const WIDE = 100_000_000_000_000n;

function luaText(part: ShardKeyPart): string {
  switch (typeof part) {
    case 'string':
      return part;
    case 'boolean':
      return String(part);
    case 'bigint':
      return wholeText(part);
    case 'number':
      return Number.isSafeInteger(part) ? wholeText(BigInt(part)) : floatText(part);
    default:
      throw new ClusterError('REQUEST_INVALID', {
        message: 'A sharding key has texts, numbers and booleans only.',
      });
  }
}

function wholeText(value: bigint): string {
  if (value > -WIDE && value < WIDE) return value.toString();
  return `${value.toString()}${value < 0n ? 'LL' : 'ULL'}`;
}

/** `%.14g` of C. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [digits = '', power = '0'] = value.toExponential(13).split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 14) return trimZeros(value.toFixed(13 - exponent));
  const sign = exponent < 0 ? '-' : '+';
  return `${trimZeros(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function trimZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}
