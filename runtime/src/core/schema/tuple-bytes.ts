/**
 * Tuples and keys as MessagePack.
 *
 * A UUID is text in JavaScript and an extension in MessagePack. Only the type of its field tells it from other texts,
 * so tuples and keys are written by their definitions; reading needs none.
 */
import type { MsgpackWriter } from '../msgpack/encode.ts';
import type { FieldType } from './field-types.ts';
import type { IndexDefinition, SpaceDefinition } from './space-definition.ts';
import type { Tuple, Value } from './values.ts';

/** `tuple` fits the format of the space. */
export function encodeTuple(space: SpaceDefinition, tuple: Tuple, writer: MsgpackWriter): void {
  const { format } = space;
  writer.arrayHeader(tuple.length);
  for (let index = 0; index < tuple.length; index++) {
    encodeField(format[index]?.type, tuple[index] as Value, writer);
  }
}

/** `key` fits the parts of the index; it may be the beginning of one. */
export function encodeKey(
  index: IndexDefinition,
  key: readonly Value[],
  writer: MsgpackWriter,
): void {
  writer.arrayHeader(key.length);
  for (let position = 0; position < key.length; position++) {
    encodeField(index.parts[position]?.type, key[position] as Value, writer);
  }
}

function encodeField(type: FieldType | undefined, value: Value, writer: MsgpackWriter): void {
  if (type === 'uuid' && typeof value === 'string') writer.uuid(value);
  else writer.value(value);
}
