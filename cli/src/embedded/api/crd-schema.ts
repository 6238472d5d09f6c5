/**
 * What a structural schema does to an object before it is stored: fields that the schema does not
 * know are pruned, null is dropped where it is not allowed, and defaults are filled in.
 */
import { copyJson, isList, isObject, type JsonObject, objectAt, valueAt } from './json.ts';

export type Schema = JsonObject;

export interface Pruned {
  readonly value: JsonObject;
  /** Paths of what was dropped, for strict field validation. */
  readonly unknown: readonly string[];
}

const OBJECT_HEAD = ['apiVersion', 'kind', 'metadata'];

export function pruneObject(object: JsonObject, schema: Schema): Pruned {
  const unknown: string[] = [];
  const value = prune(object, schema, { path: '', unknown, isObjectRoot: true });
  return { value: isObject(value) ? value : {}, unknown };
}

interface PruneContext {
  readonly path: string;
  readonly unknown: string[];
  readonly isObjectRoot: boolean;
}

function prune(value: unknown, schema: Schema, context: PruneContext): unknown {
  if (isList(value)) {
    const items = objectAt(schema, 'items');
    return value.map((item, at) =>
      prune(item, items, nested(context, `[${at}]`, isEmbeddedObject(items))),
    );
  }
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    if (context.isObjectRoot && OBJECT_HEAD.includes(name)) {
      kept[name] = field;
      continue;
    }
    const fieldSchema = schemaOfField(schema, name);
    const path = context.path === '' ? name : `.${name}`;
    if (fieldSchema !== undefined) {
      const below = nested(context, path, isEmbeddedObject(fieldSchema));
      kept[name] = prune(field, fieldSchema, below);
    } else if (schema['x-kubernetes-preserve-unknown-fields'] === true) kept[name] = field;
    else context.unknown.push(context.path + path);
  }
  return kept;
}

function nested(context: PruneContext, step: string, isObjectRoot: boolean): PruneContext {
  return { path: context.path + step, unknown: context.unknown, isObjectRoot };
}

function isEmbeddedObject(schema: Schema): boolean {
  return schema['x-kubernetes-embedded-resource'] === true;
}

/** The schema of a field, or undefined if the field is unknown. */
export function schemaOfField(schema: Schema, name: string): Schema | undefined {
  const property = objectAt(schema, 'properties')[name];
  if (isObject(property)) return property;
  const additional = schema['additionalProperties'];
  if (additional === true) return { 'x-kubernetes-preserve-unknown-fields': true };
  return isObject(additional) ? additional : undefined;
}

/** Fills in defaults; null in a field that is not nullable counts as absent, as on a real server. */
export function applyDefaults(value: unknown, schema: Schema): unknown {
  if (isList(value)) {
    const items = objectAt(schema, 'items');
    return value.map((item) => applyDefaults(item, items));
  }
  if (!isObject(value)) return value;
  const filled: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const fieldSchema = schemaOfField(schema, name);
    if (field === undefined || (field === null && isDroppedNull(fieldSchema))) continue;
    filled[name] = fieldSchema === undefined ? field : applyDefaults(field, fieldSchema);
  }
  for (const [name, property] of Object.entries(objectAt(schema, 'properties'))) {
    const fallback = valueAt(property, 'default');
    if (filled[name] !== undefined || fallback === undefined || !isObject(property)) continue;
    filled[name] = applyDefaults(copyJson(fallback), property);
  }
  return filled;
}

function isDroppedNull(schema: Schema | undefined): boolean {
  return (
    schema !== undefined &&
    schema['nullable'] !== true &&
    Object.keys(schema).length > 0 &&
    schema['x-kubernetes-preserve-unknown-fields'] !== true
  );
}
