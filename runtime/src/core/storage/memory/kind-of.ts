import { assert } from '../../../foundation/assert.ts';
import type { IndexPart } from '../../schema/space-definition.ts';
import { type Kind, kinds } from './raw-values.ts';

const kindOfType: Readonly<Record<string, Kind>> = {
  unsigned: kinds.integer,
  integer: kinds.integer,
  number: kinds.number,
  double: kinds.number,
  decimal: kinds.number,
  string: kinds.bytes,
  varbinary: kinds.bytes,
  boolean: kinds.boolean,
  uuid: kinds.uuid,
  datetime: kinds.datetime,
  scalar: kinds.scalar,
};

/** How values of a part are compared. */
export function kindOf(part: IndexPart): Kind {
  const isCollated = part.collation !== undefined && part.collation !== 'binary';
  if (part.type === 'string' && isCollated) return kinds.collated;
  const kind = kindOfType[part.type];
  assert(kind !== undefined, `a part of type ${part.type} has an order`);
  return kind;
}
