/**
 * Sets of field paths, in the form that `metadata.managedFields` stores (FieldsV1): `f:name` is a
 * field, `k:{…}` the entry of a keyed list, `v:…` the value of a set. An element is a member when
 * it stands without children, or with the child `.`.
 */
import { equalJson, isList, isObject, type JsonObject } from './json.ts';
import type { ListKey, MergeType } from './merge-types.ts';

export type FieldPath = readonly string[];

export class FieldSet {
  isMember = false;
  readonly children = new Map<string, FieldSet>();

  static fromJson(json: unknown): FieldSet {
    const set = new FieldSet();
    if (!isObject(json)) return set;
    for (const [element, nested] of Object.entries(json)) {
      if (element === '.') {
        set.isMember = true;
        continue;
      }
      const child = FieldSet.fromJson(nested);
      if (child.children.size === 0) child.isMember = true;
      set.children.set(element, child);
    }
    return set;
  }

  static of(paths: Iterable<FieldPath>): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  get isEmpty(): boolean {
    return !this.isMember && [...this.children.values()].every((child) => child.isEmpty);
  }

  insert(path: FieldPath): void {
    let set: FieldSet = this.child();
    for (const element of path) set = set.child(element);
    set.isMember = true;
  }

  /** The subset below an element, made if it is missing; without an element, the set itself. */
  child(element?: string): FieldSet {
    if (element === undefined) return this;
    const found = this.children.get(element);
    if (found !== undefined) return found;
    const made = new FieldSet();
    this.children.set(element, made);
    return made;
  }

  has(path: FieldPath): boolean {
    return this.#at(path)?.isMember ?? false;
  }

  /** Whether the path or anything below it is a member. */
  hasWithin(path: FieldPath): boolean {
    const found = this.#at(path);
    return found !== undefined && !found.isEmpty;
  }

  paths(): FieldPath[] {
    const found: FieldPath[] = this.isMember ? [[]] : [];
    for (const [element, child] of this.children) {
      for (const path of child.paths()) found.push([element, ...path]);
    }
    return found;
  }

  union(other: FieldSet): FieldSet {
    return FieldSet.of([...this.paths(), ...other.paths()]);
  }

  difference(other: FieldSet): FieldSet {
    return FieldSet.of(this.paths().filter((path) => !other.has(path)));
  }

  intersection(other: FieldSet): FieldSet {
    return FieldSet.of(this.paths().filter((path) => other.has(path)));
  }

  toJson(): JsonObject {
    const json: JsonObject = {};
    const hasChildren = [...this.children.values()].some((child) => !child.isEmpty);
    if (this.isMember && hasChildren) json['.'] = {};
    for (const element of [...this.children.keys()].sort()) {
      const child = this.children.get(element);
      if (child !== undefined && !child.isEmpty) json[element] = child.toJson();
    }
    return json;
  }

  #at(path: FieldPath): FieldSet | undefined {
    let found: FieldSet | undefined = this.child();
    for (const element of path) found = found?.children.get(element);
    return found;
  }
}

export interface FieldChanges {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** The fields that a value sets: its leaves and the entries of its keyed lists. */
export function fieldsOf(value: unknown, type: MergeType): FieldSet {
  const set = new FieldSet();
  collect(value, type, set);
  return set;
}

function collect(value: unknown, type: MergeType, set: FieldSet): void {
  if (isGranular(value, type)) {
    for (const [name, nested] of Object.entries(value)) {
      if (nested !== undefined) collect(nested, type.field(name), set.child(`f:${name}`));
    }
    return;
  }
  const entries = entriesOf(value, type);
  if (entries === undefined || entries.size === 0) {
    set.isMember = true;
    return;
  }
  for (const [element, item] of entries) {
    const child = set.child(element);
    if (type.list !== 'set') collect(item, type.item, child);
    child.isMember = true;
  }
}

export function changesBetween(before: unknown, after: unknown, type: MergeType): FieldChanges {
  const changes = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compare({ before, after, type }, changes);
  return changes;
}

interface Compared {
  readonly before: unknown;
  readonly after: unknown;
  readonly type: MergeType;
}

function compare(values: Compared, into: FieldChanges): void {
  const { before, after, type } = values;
  if (before === after) return;
  if (before === undefined) {
    collect(after, type, into.added);
    return;
  }
  if (after === undefined) {
    collect(before, type, into.removed);
    return;
  }
  if (isObject(before) && isObject(after) && !type.atomicMap) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const nested = { before: before[name], after: after[name], type: type.field(name) };
      compare(nested, below(into, `f:${name}`));
    }
    return;
  }
  const oldEntries = entriesOf(before, type);
  const newEntries = entriesOf(after, type);
  if (oldEntries !== undefined && newEntries !== undefined) {
    compareEntries(oldEntries, newEntries, { type, into });
    return;
  }
  if (!equalJson(before, after)) into.modified.isMember = true;
}

function compareEntries(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  context: { readonly type: MergeType; readonly into: FieldChanges },
): void {
  for (const element of new Set([...before.keys(), ...after.keys()])) {
    const into = below(context.into, element);
    if (!before.has(element)) into.added.isMember = true;
    if (!after.has(element)) into.removed.isMember = true;
    if (context.type.list === 'set') continue;
    const nested = { before: before.get(element), after: after.get(element) };
    compare({ ...nested, type: context.type.item }, into);
  }
}

function below(changes: FieldChanges, element: string): FieldChanges {
  return {
    added: changes.added.child(element),
    modified: changes.modified.child(element),
    removed: changes.removed.child(element),
  };
}

/** An empty map is a leaf: owning it means wanting it to be there. */
export function isGranular(value: unknown, type: MergeType): value is JsonObject {
  return isObject(value) && !type.atomicMap && Object.keys(value).length > 0;
}

/** The entries of a keyed list or a set by path element; undefined for what merges as a whole. */
export function entriesOf(value: unknown, type: MergeType): Map<string, unknown> | undefined {
  if (!isList(value) || type.list === 'atomic') return undefined;
  const entries = new Map<string, unknown>();
  for (const item of value) {
    const element = type.list === 'set' ? `v:${JSON.stringify(item)}` : keyElement(item, type.list);
    if (element === undefined) return undefined;
    entries.set(element, item);
  }
  return entries;
}

function keyElement(item: unknown, keys: readonly ListKey[]): string | undefined {
  if (!isObject(item)) return undefined;
  const key: JsonObject = {};
  for (const { name, default: fallback } of [...keys].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const value = item[name] ?? fallback;
    if (value === undefined) return undefined;
    key[name] = value;
  }
  return `k:${JSON.stringify(key)}`;
}

/** A path as the API server prints it in conflicts: `.spec.containers[name="x"].image`. */
export function printPath(path: FieldPath): string {
  return path.map(printElement).join('');
}

function printElement(element: string): string {
  const text = element.slice(2);
  if (element.startsWith('f:')) return `.${text}`;
  if (element.startsWith('v:')) return `[=${text}]`;
  const key: unknown = JSON.parse(text);
  const parts = isObject(key) ? Object.entries(key) : [];
  return `[${parts.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
}
