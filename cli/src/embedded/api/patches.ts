/** The two patch formats of the internet standards: merge patch and JSON patch. */
import { badRequest, unprocessablePatch } from './api-error.ts';
import { copyJson, equalJson, isList, isObject, type JsonObject } from './json.ts';

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
