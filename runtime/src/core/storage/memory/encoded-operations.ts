import { MsgpackWriter } from '../../msgpack/encode.ts';
import { storable } from '../../schema/values.ts';
import type { FieldRef, UpdateOperation } from '../engine.ts';
import type { EncodedOperations } from '../tuple-update-operations.ts';
import type { MemorySpace } from './memory-space.ts';

/** Update operations as the protocol has them. */
export function encodedOperations(
  space: MemorySpace,
  operations: readonly UpdateOperation[],
): EncodedOperations {
  const writer = new MsgpackWriter();
  writer.arrayHeader(operations.length);
  for (const [operator, field, ...values] of operations) {
    writer.arrayHeader(2 + values.length);
    writer.text(operator);
    writer.value(field);
    const isUuid = typeOf(space, field) === 'uuid';
    for (const value of values) {
      const stored = storable(value, String(field));
      if (isUuid && typeof stored === 'string' && isUuidText(stored)) writer.uuid(stored);
      else writer.value(stored);
    }
  }
  return { bytes: writer.bytes, at: 0, indexBase: 0 };
}

function typeOf({ definition, fields }: MemorySpace, field: FieldRef): string | undefined {
  const number = typeof field === 'number' ? field : fields.numberOf(field);
  return number === undefined ? undefined : definition.format[number]?.type;
}

function isUuidText(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
}
