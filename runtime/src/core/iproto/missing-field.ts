/** What a request must have, as Tarantool demands it. */
import { requestType } from './protocol.ts';
import type { RequestFields } from './request-fields.ts';

type Part = 'space id' | 'limit' | 'key' | 'tuple' | 'operations' | Rare;
type Rare = 'function name' | 'user name' | 'event key';

const required: readonly (readonly Part[] | undefined)[] = byType([
  [requestType.SELECT, ['space id', 'limit', 'key']],
  [requestType.INSERT, ['space id', 'tuple']],
  [requestType.REPLACE, ['space id', 'tuple']],
  [requestType.UPDATE, ['space id', 'key', 'operations']],
  [requestType.DELETE, ['space id', 'key']],
  [requestType.UPSERT, ['space id', 'tuple', 'operations']],
  [requestType.CALL, ['function name']],
  [requestType.CALL_16, ['function name']],
  [requestType.AUTH, ['user name', 'tuple']],
  [requestType.WATCH, ['event key']],
  [requestType.UNWATCH, ['event key']],
  [requestType.WATCH_ONCE, ['event key']],
]);

/** The first part that is missing, as error messages name it. */
export function missingField(request: RequestFields): string | undefined {
  // Whole selects, inserts and replaces are most of what comes.
  const { type, spaceAt } = request;
  if (type === requestType.SELECT && spaceAt >= 0 && request.limitAt >= 0 && request.keyAt >= 0) {
    return undefined;
  }
  const parts = required[type];
  if (parts === undefined) return undefined;
  for (const part of parts) if (!hasPart(request, part)) return part;
  return undefined;
}

function hasPart(request: RequestFields, part: Part): boolean {
  switch (part) {
    case 'space id':
      return request.spaceAt >= 0 || request.spaceNameAt >= 0;
    case 'limit':
      return request.limitAt >= 0;
    case 'key':
      return request.keyAt >= 0;
    case 'tuple':
      return request.tupleAt >= 0;
    case 'operations':
      return request.operationsAt >= 0;
    default:
      return hasRare(request, part);
  }
}

function hasRare(request: RequestFields, part: Rare): boolean {
  switch (part) {
    case 'function name':
      return request.functionAt >= 0;
    case 'user name':
      return request.userAt >= 0;
    case 'event key':
      return request.eventKeyAt >= 0;
  }
}

function byType(
  entries: readonly (readonly [type: number, parts: readonly Part[]])[],
): readonly (readonly Part[] | undefined)[] {
  const table = new Array<readonly Part[] | undefined>(requestType.WATCH_ONCE + 1).fill(undefined);
  for (const [type, parts] of entries) table[type] = parts;
  return table;
}
