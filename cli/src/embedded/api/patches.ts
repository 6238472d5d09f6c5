/** The three patch formats that change an object without field ownership. */
import { badRequest, unprocessablePatch } from './api-error.ts';
import { copyJson, equalJson, isList, isObject, type JsonObject } from './json.ts';
import type { MergeType } from './merge-types.ts';

/** RFC 7386: null removes, maps merge, everything else replaces. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, name);
    else merged[name] = applyMergePatch(merged[name], value);
  }
  return merged;
}

/** RFC 6902, on a copy: either all operations are carried out or the patch is refused. */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!isList(patch)) throw badRequest('a JSON patch is a list of operations');
  const document = { root: copyJson(target) };
  for (const operation of patch) {
    if (!isObject(operation)) throw badRequest('an operation of a JSON patch is an object');
    applyOperation(document, operation);
  }
  return document.root;
}

interface PatchedDocument {
  root: unknown;
}

function applyOperation(document: PatchedDocument, operation: JsonObject): void {
  const path = pointer(operation, 'path');
  switch (operation['op']) {
    case 'add':
      return insert(document, path, operation['value']);
    case 'remove':
      return remove(document, path);
    case 'replace': {
      read(document, path);
      remove(document, path);
      return insert(document, path, operation['value']);
    }
    case 'move': {
      const value = read(document, pointer(operation, 'from'));
      remove(document, pointer(operation, 'from'));
      return insert(document, path, value);
    }
    case 'copy':
      return insert(document, path, copyJson(read(document, pointer(operation, 'from'))));
    case 'test':
      if (equalJson(readOptional(document, path), operation['value'])) return;
      throw unprocessablePatch('the server rejected our request due to an error in our request');
    default:
      throw badRequest(`the JSON patch operation ${JSON.stringify(operation['op'])} is unknown`);
  }
}

function pointer(operation: JsonObject, name: 'path' | 'from'): string[] {
  const text = operation[name];
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) {
    throw badRequest(`"${name}" of a JSON patch operation must be a JSON pointer`);
  }
  const parts = text === '' ? [] : text.slice(1).split('/');
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(document: PatchedDocument, path: readonly string[]): unknown {
  const found = readOptional(document, path);
  if (found === undefined) throw missing(path);
  return found;
}

function readOptional(document: PatchedDocument, path: readonly string[]): unknown {
  let found = document.root;
  for (const part of path) {
    if (isList(found)) found = found[Number(part)];
    else found = isObject(found) ? found[part] : undefined;
  }
  return found;
}

function insert(document: PatchedDocument, path: readonly string[], value: unknown): void {
  const last = path.at(-1);
  if (last === undefined) {
    document.root = value;
    return;
  }
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const at = last === '-' ? parent.length : Number(last);
    if (!Number.isInteger(at) || at < 0 || at > parent.length) throw missing(path);
    parent.splice(at, 0, value);
  } else if (isObject(parent)) parent[last] = value;
  else throw missing(path);
}

function remove(document: PatchedDocument, path: readonly string[]): void {
  const last = path.at(-1);
  read(document, path);
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent) && last !== undefined) Reflect.deleteProperty(parent, last);
}

function missing(path: readonly string[]): Error {
  return unprocessablePatch(
    `the server rejected our request: the JSON patch names /${path.join('/')}, which is missing`,
  );
}

/**
 * The strategic merge patch of built-in kinds: a merge patch whose keyed lists merge entry by
 * entry, with the directives `$patch`, `$deleteFromPrimitiveList` and `$retainKeys`.
 */
export function applyStrategicMerge(target: unknown, patch: unknown, type: MergeType): unknown {
  if (!isObject(patch)) return isList(patch) ? mergeList(target, patch, type) : patch;
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return undefined;
  let merged: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    const field = name.slice(name.indexOf('/') + 1);
    if (name.startsWith('$deleteFromPrimitiveList/')) {
      const gone = isList(value) ? value : [];
      const list = merged[field];
      if (isList(list)) merged[field] = list.filter((item) => !gone.includes(item));
    } else if (name === '$retainKeys' && isList(value)) {
      merged = Object.fromEntries(Object.entries(merged).filter(([key]) => value.includes(key)));
    } else if (name.startsWith('$')) continue;
    else if (value === null) Reflect.deleteProperty(merged, name);
    else {
      const next = applyStrategicMerge(merged[name], value, type.field(name));
      if (next === undefined) Reflect.deleteProperty(merged, name);
      else merged[name] = next;
    }
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
  const merged = [...current];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`an entry of a list keyed by "${key}" is an object`);
    const at = merged.findIndex((found) => isObject(found) && found[key] === item[key]);
    const next = applyStrategicMerge(at < 0 ? undefined : merged[at], item, type.item);
    if (next === undefined) {
      if (at >= 0) merged.splice(at, 1);
    } else if (at < 0) merged.push(next);
    else merged[at] = next;
  }
  return merged;
}
