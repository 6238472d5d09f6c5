/**
 * The merge of server-side apply: what the applied configuration says is laid over the live object,
 * and fields that a manager gave up are taken out. Entries keep the live order where the applied
 * configuration does not contradict it, so that applying the same thing twice changes nothing.
 */
import { entriesOf, type FieldSet, isGranular } from './field-sets.ts';
import { isList, isObject, type JsonObject } from './json.ts';
import type { MergeType } from './merge-types.ts';

export function mergeValues(live: unknown, applied: unknown, type: MergeType): unknown {
  if (applied === undefined) return live;
  if (isObject(live) && isGranular(applied, type)) return mergeMaps(live, applied, type);
  const liveEntries = entriesOf(live, type);
  const appliedEntries = entriesOf(applied, type);
  if (liveEntries === undefined || appliedEntries === undefined) {
    // An empty map in the configuration asks for the map, not for the loss of its content.
    return isObject(live) && isObject(applied) && !type.atomicMap ? live : applied;
  }
  return mergeEntries(liveEntries, appliedEntries, type);
}

function mergeMaps(live: JsonObject, applied: JsonObject, type: MergeType): JsonObject {
  const merged: JsonObject = { ...live };
  for (const [name, value] of Object.entries(applied)) {
    merged[name] = mergeValues(live[name], value, type.field(name));
  }
  return merged;
}

function mergeEntries(
  live: ReadonlyMap<string, unknown>,
  applied: ReadonlyMap<string, unknown>,
  type: MergeType,
): unknown[] {
  const queue = [...applied.keys()];
  const merged: unknown[] = [];
  const mergeNext = (): void => {
    const element = queue.shift();
    if (element === undefined) return;
    const wanted = applied.get(element);
    merged.push(type.list === 'set' ? wanted : mergeValues(live.get(element), wanted, type.item));
  };
  for (const [element, item] of live) {
    if (applied.has(element)) mergeNext();
    else merged.push(item);
  }
  while (queue.length > 0) mergeNext();
  return merged;
}

/** Takes the members of a set out of a value; a container that becomes empty goes as well. */
export function removeFields(value: unknown, set: FieldSet, type: MergeType): unknown {
  if (set.isMember) return undefined;
  if (set.isEmpty) return value;
  if (isObject(value)) return removeFromMap(value, set, type);
  const entries = entriesOf(value, type);
  if (!isList(value) || entries === undefined) return value;
  const kept: unknown[] = [];
  for (const [element, item] of entries) {
    const within = set.children.get(element);
    const next = within === undefined ? item : removeFields(item, within, type.item);
    if (next !== undefined) kept.push(withKeys(next, item, type));
  }
  return kept.length === 0 ? undefined : kept;
}

/** An entry that stays, because someone else owns a part of it, stays addressable. */
function withKeys(next: unknown, item: unknown, type: MergeType): unknown {
  if (typeof type.list === 'string' || !isObject(next) || !isObject(item)) return next;
  const keys = type.list.map((key) => key.name).filter((name) => item[name] !== undefined);
  return { ...Object.fromEntries(keys.map((name) => [name, item[name]])), ...next };
}

function removeFromMap(value: JsonObject, set: FieldSet, type: MergeType): JsonObject | undefined {
  const kept: JsonObject = {};
  for (const [name, nested] of Object.entries(value)) {
    const within = set.children.get(`f:${name}`);
    const next = within === undefined ? nested : removeFields(nested, within, type.field(name));
    if (next !== undefined) kept[name] = next;
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}
