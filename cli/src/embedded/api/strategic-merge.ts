/**
 * The strategic merge patch of built-in kinds: a merge patch whose keyed lists merge entry by
 * entry, with the directives `$patch`, `$deleteFromPrimitiveList` and `$retainKeys`.
 */
import { badRequest } from './api-error.ts';
import { isList, isObject, type JsonObject } from './json.ts';
import type { MergeType } from './merge-types.ts';

export function applyStrategicMerge(target: unknown, patch: unknown, type: MergeType): unknown {
  if (!isObject(patch)) return isList(patch) ? mergeList(target, patch, type) : patch;
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return undefined;
  const merged = applyDirectives(isObject(target) ? target : {}, patch);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    const next =
      value === null ? undefined : applyStrategicMerge(merged[name], value, type.field(name));
    if (next === undefined) Reflect.deleteProperty(merged, name);
    else merged[name] = next;
  }
  return merged;
}

const DELETE_FROM_LIST = '$deleteFromPrimitiveList/';

/** `$setElementOrder` is left out: the order of the live list is kept, and new entries go last. */
function applyDirectives(target: JsonObject, patch: JsonObject): JsonObject {
  const retained = patch['$retainKeys'];
  const kept = isList(retained)
    ? Object.entries(target).filter(([name]) => retained.includes(name))
    : Object.entries(target);
  const merged: JsonObject = Object.fromEntries(kept);
  for (const [name, gone] of Object.entries(patch)) {
    if (!name.startsWith(DELETE_FROM_LIST) || !isList(gone)) continue;
    const field = name.slice(DELETE_FROM_LIST.length);
    const list = merged[field];
    if (isList(list)) merged[field] = list.filter((item) => !gone.includes(item));
  }
  return merged;
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(patch).filter(([name]) => !name.startsWith('$')));
}

function mergeList(target: unknown, patch: readonly unknown[], type: MergeType): unknown {
  const current = isList(target) ? target : [];
  if (type.list === 'set') return [...new Set([...current, ...patch])];
  const key = type.list === 'atomic' ? undefined : type.list[0]?.name;
  if (key === undefined) return patch;
  if (patch.some((item) => isObject(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => isObject(item) && item['$patch'] === undefined);
  }
  let merged: readonly unknown[] = current;
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`an entry of a list keyed by "${key}" is an object`);
    merged = mergeEntry(merged, item, { key, type: type.item });
  }
  return merged;
}

function mergeEntry(
  list: readonly unknown[],
  item: JsonObject,
  { key, type }: { readonly key: string; readonly type: MergeType },
): readonly unknown[] {
  const at = list.findIndex((found) => isObject(found) && found[key] === item[key]);
  const next = applyStrategicMerge(at < 0 ? undefined : list[at], item, type);
  if (at < 0) return next === undefined ? list : [...list, next];
  return next === undefined ? list.toSpliced(at, 1) : list.with(at, next);
}
