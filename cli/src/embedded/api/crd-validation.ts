/**
 * The value checks of an OpenAPI v3 schema, with the messages of the API server. CEL rules are not
 * evaluated here: whoever serves the resource gives those verdicts.
 */
import { type FieldIssue, invalidValue, requiredValue } from './api-error.ts';
import { type Schema, schemaOfField } from './crd-schema.ts';
import { entriesOf } from './field-sets.ts';
import {
  equalJson,
  isList,
  isObject,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  textAt,
} from './json.ts';
import { schemaType } from './merge-types.ts';

interface Checked {
  readonly value: unknown;
  readonly schema: Schema;
  readonly path: string;
}

export function validateAgainstSchema(object: JsonObject, schema: Schema): FieldIssue[] {
  const issues: FieldIssue[] = [];
  // The server itself checks apiVersion, kind and metadata.
  const properties = Object.fromEntries(
    Object.entries(objectAt(schema, 'properties')).filter(
      ([name]) => !['apiVersion', 'kind', 'metadata'].includes(name),
    ),
  );
  check({ value: object, schema: { ...schema, properties }, path: '' }, issues);
  return issues;
}

function check(checked: Checked, issues: FieldIssue[]): void {
  const { value, schema, path } = checked;
  if (value === null && schema['nullable'] === true) return;
  if (!hasType(value, schema)) {
    issues.push(typeIssue(checked));
    return;
  }
  checkEnum(checked, issues);
  if (typeof value === 'string') checkText(value, checked, issues);
  if (typeof value === 'number') checkNumber(value, checked, issues);
  if (isList(value)) checkList(value, checked, issues);
  if (isObject(value)) checkMap(value, checked, issues);
  for (const part of listAt(schema, 'allOf')) {
    if (isObject(part)) check({ value, schema: part, path }, issues);
  }
  checkAlternatives(checked, issues);
}

function hasType(value: unknown, schema: Schema): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return typeof value === 'string' || Number.isInteger(value);
  }
  switch (textAt(schema, 'type')) {
    case 'object':
      return isObject(value);
    case 'array':
      return isList(value);
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    default:
      return true;
  }
}

function typeIssue({ value, schema, path }: Checked): FieldIssue {
  const found = typeName(value);
  const wanted =
    schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : textAt(schema, 'type');
  return {
    reason: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: "${found}": ${path} in body must be of type ${wanted}: "${found}"`,
  };
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (isList(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkEnum({ value, schema, path }: Checked, issues: FieldIssue[]): void {
  const allowed = schema['enum'];
  if (!isList(allowed) || allowed.some((item) => equalJson(item, value))) return;
  const list = allowed.map((item) => JSON.stringify(item)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  issues.push({ reason: 'FieldValueNotSupported', field: path, message });
}

function checkText(value: string, { schema, path }: Checked, issues: FieldIssue[]): void {
  const pattern = schema['pattern'];
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) {
    issues.push(invalidValue(path, value, `${path} in body should match '${pattern}'`));
  }
  const min = numberAt(schema, 'minLength');
  const length = Array.from(value).length;
  if (min !== undefined && length < min) {
    const why = `${path} in body should be at least ${min} chars long`;
    issues.push(invalidValue(path, value, why));
  }
  const max = numberAt(schema, 'maxLength');
  if (max !== undefined && length > max) {
    const message = `Too long: may not be more than ${max} bytes`;
    issues.push({ reason: 'FieldValueTooLong', field: path, message });
  }
}

function checkNumber(value: number, { schema, path }: Checked, issues: FieldIssue[]): void {
  const min = numberAt(schema, 'minimum');
  const isAboveOnly = schema['exclusiveMinimum'] === true;
  if (min !== undefined && (value < min || (isAboveOnly && value === min))) {
    const bound = isAboveOnly ? 'greater than' : 'greater than or equal to';
    issues.push(invalidValue(path, value, `${path} in body should be ${bound} ${min}`));
  }
  const max = numberAt(schema, 'maximum');
  const isBelowOnly = schema['exclusiveMaximum'] === true;
  if (max !== undefined && (value > max || (isBelowOnly && value === max))) {
    const bound = isBelowOnly ? 'less than' : 'less than or equal to';
    issues.push(invalidValue(path, value, `${path} in body should be ${bound} ${max}`));
  }
  checkMultiple(value, { schema, path }, issues);
}

function checkMultiple(
  value: number,
  { schema, path }: Pick<Checked, 'schema' | 'path'>,
  issues: FieldIssue[],
): void {
  const step = numberAt(schema, 'multipleOf');
  if (step !== undefined && value % step !== 0) {
    issues.push(invalidValue(path, value, `${path} in body should be a multiple of ${step}`));
  }
}

function checkList(value: readonly unknown[], checked: Checked, issues: FieldIssue[]): void {
  const { schema, path } = checked;
  const min = numberAt(schema, 'minItems');
  if (min !== undefined && value.length < min) {
    const why = `${path} in body should have at least ${min} items`;
    issues.push(invalidValue(path, value.length, why));
  }
  const max = numberAt(schema, 'maxItems');
  if (max !== undefined && value.length > max) {
    const message = `Too many: ${value.length}: must have at most ${max} items`;
    issues.push({ reason: 'FieldValueTooMany', field: path, message });
  }
  const type = schemaType(schema);
  const seen = new Set<string>();
  for (const [at, item] of value.entries()) {
    const element = [...(entriesOf([item], type)?.keys() ?? [])][0];
    if (element !== undefined && seen.has(element)) {
      const message = `Duplicate value: ${element.slice(2)}`;
      issues.push({ reason: 'FieldValueDuplicate', field: `${path}[${at}]`, message });
    }
    if (element !== undefined) seen.add(element);
    check({ value: item, schema: objectAt(schema, 'items'), path: `${path}[${at}]` }, issues);
  }
}

function checkMap(value: JsonObject, { schema, path }: Checked, issues: FieldIssue[]): void {
  const prefix = path === '' ? '' : `${path}.`;
  for (const name of listAt(schema, 'required')) {
    if (value[String(name)] === undefined) issues.push(requiredValue(`${prefix}${String(name)}`));
  }
  const size = Object.keys(value).length;
  const max = numberAt(schema, 'maxProperties');
  if (max !== undefined && size > max) {
    const message = `Too many: ${size}: must have at most ${max} items`;
    issues.push({ reason: 'FieldValueTooMany', field: path, message });
  }
  const min = numberAt(schema, 'minProperties');
  if (min !== undefined && size < min) {
    const why = `${path} in body should have at least ${min} properties`;
    issues.push(invalidValue(path, size, why));
  }
  for (const [name, field] of Object.entries(value)) {
    const fieldSchema = schemaOfField(schema, name);
    if (fieldSchema === undefined || field === undefined) continue;
    check({ value: field, schema: fieldSchema, path: `${prefix}${name}` }, issues);
  }
}

function checkAlternatives({ value, schema, path }: Checked, issues: FieldIssue[]): void {
  const passes = (part: unknown): boolean => {
    const found: FieldIssue[] = [];
    if (isObject(part)) check({ value, schema: part, path }, found);
    return found.length === 0;
  };
  const shown = typeName(value);
  const anyOf = listAt(schema, 'anyOf');
  if (anyOf.length > 0 && !anyOf.some(passes)) {
    const why = `${path} in body must validate at least one schema (anyOf)`;
    issues.push(invalidValue(path, shown, why));
  }
  const oneOf = listAt(schema, 'oneOf');
  if (oneOf.length > 0 && oneOf.filter(passes).length !== 1) {
    const why = `${path} in body must validate one and only one schema (oneOf)`;
    issues.push(invalidValue(path, shown, why));
  }
  const not = schema['not'];
  if (isObject(not) && passes(not)) {
    issues.push(invalidValue(path, shown, `${path} in body must not validate the schema (not)`));
  }
}
