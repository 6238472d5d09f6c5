/** Hashes of values in MessagePack: equal values have equal hashes, however they are written. */
import type { IndexDefinition } from '../../schema/space-definition.ts';
import { kindOf } from './kind-of.ts';
import { integerAt, type Kind, kinds, runLength, runStart, uint32 } from './raw-values.ts';

const FACTOR = 0x9e37_79b1;

/** Can keys of this index be found by a hash? Kinds of numbers that mix cannot: equal ones differ in their bytes. */
export function isHashable(index: IndexDefinition): boolean {
  if (!index.unique) return false;
  return index.parts.every((part) => {
    const kind = kindOf(part);
    const isSimple = kind === kinds.bytes || kind === kinds.integer || kind === kinds.uuid;
    return (isSimple || kind === kinds.boolean) && !part.isNullable;
  });
}

export function hashRaw(kind: Kind, bytes: Uint8Array, at: number, seed: number): number {
  switch (kind) {
    case kinds.bytes:
      return hashRun(bytes, runStart(bytes, at), runLength(bytes, at), seed);
    case kinds.integer:
      return hashInteger(bytes, at, seed);
    case kinds.uuid:
      return hashRun(bytes, at + 2, 16, seed);
    default:
      return step(seed, bytes[at] as number);
  }
}

/** What `mixed` makes of the hash of one text or binary. */
export function hashOfRun(bytes: Uint8Array, at: number): number {
  return mixed(hashRun(bytes, runStart(bytes, at), runLength(bytes, at), 0));
}

/** Spreads what is in any bit over all of them. */
export function mixed(hash: number): number {
  let value = hash;
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function hashInteger(bytes: Uint8Array, at: number, seed: number): number {
  const value = integerAt(bytes, at);
  if (Number.isSafeInteger(value)) {
    return step(step(seed, value | 0), Math.floor(value / 0x1_0000_0000) | 0);
  }
  return step(step(seed, uint32(bytes, at + 5) | 0), uint32(bytes, at + 1) | 0);
}

function hashRun(bytes: Uint8Array, start: number, length: number, seed: number): number {
  const end = start + length;
  let hash = step(seed, length);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = step(hash, word);
  }
  for (; at < end; at++) hash = step(hash, bytes[at] as number);
  return hash;
}

function step(hash: number, word: number): number {
  const next = Math.imul(hash ^ word, FACTOR);
  return next ^ (next >>> 15);
}
