/** Rows of release 0.1, which wrote UUIDs as text, become those of today when they are read. */
import { decode } from '../../msgpack/decode.ts';
import { MsgpackWriter } from '../../msgpack/encode.ts';
import { encodeKey, encodeTuple } from '../../schema/tuple-bytes.ts';
import type { Tuple, Value } from '../../schema/values.ts';
import type { MemorySpace } from './memory-space.ts';
import { locateField, MISSING } from './raw-values.ts';

/** The fields were located in `bytes`. */
export function isOfEarlierFormat({ check }: MemorySpace, bytes: Uint8Array): boolean {
  for (const field of check.uuidFields) {
    const at = check.positions[field] ?? MISSING;
    if (at !== MISSING && bytes[at] !== 0xc0 && bytes[at] !== 0xd8) return true;
  }
  return false;
}

/** Is a part of this primary key written as text that is a UUID today? */
export function isEarlierKey(space: MemorySpace, bytes: Uint8Array, keyAt: number): boolean {
  if (space.check.uuidFields.length === 0) return false;
  const { parts } = space.primary().definition;
  return parts.some(
    ({ type }, part) => type === 'uuid' && bytes[locateField(bytes, keyAt, part)] !== 0xd8,
  );
}

export function keyOfPresentFormat(
  space: MemorySpace,
  bytes: Uint8Array,
  keyAt: number,
): Uint8Array {
  const writer = new MsgpackWriter();
  encodeKey(space.primary().definition, decode(bytes, keyAt) as readonly Value[], writer);
  return writer.take();
}

export function ofPresentFormat(space: MemorySpace, bytes: Uint8Array, at: number): Uint8Array {
  const writer = new MsgpackWriter();
  encodeTuple(space.definition, decode(bytes, at) as Tuple, writer);
  return writer.take();
}
