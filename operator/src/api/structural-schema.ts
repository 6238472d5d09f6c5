/**
 * A zod schema as the structural OpenAPI schema that Kubernetes accepts in a CRD.
 *
 * zod's own `openapi-3.0` output is close, but Kubernetes wants: no `additionalProperties` beside `properties`, every
 * value typed unless it is declared opaque, `format: int64` instead of the bounds of a double, no alternatives of
 * types but the one of integers and strings, and rules without the functions that mirror them.
 */
import { z } from 'zod';
import { RULES_KEY, type Rule } from './rules.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** On an open object: names that must be declared, because CEL sees only declared properties. */
const DECLARED_KEY = 'x-tonearm-declared-properties';

const OPAQUE = { 'x-kubernetes-preserve-unknown-fields': true } as const;

export function structuralSchema(schema: z.ZodType): JsonSchema {
  const raw = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => {
      const rules = jsonSchema[RULES_KEY];
      if (Array.isArray(rules)) jsonSchema[RULES_KEY] = rules.flatMap(renderRule);
    },
  });
  return convert(raw);
}

function renderRule(rule: Rule<unknown>): readonly JsonSchema[] {
  if (rule.rule === undefined) return [];
  const { message, fieldPath } = rule;
  return [{ rule: rule.rule, message, ...(fieldPath === undefined ? {} : { fieldPath }) }];
}

function convert(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, anyOf, ...rest } = schema;
  if (rest['x-kubernetes-int-or-string'] === true) return without(rest, 'type');
  if (anyOf !== undefined) {
    throw new Error('a structural schema has no alternatives but x-kubernetes-int-or-string');
  }
  return {
    ...convertValue(rest),
    ...(properties === undefined ? {} : { properties: convertAll(properties as JsonSchema) }),
    ...(items === undefined ? {} : { items: convert(items as JsonSchema) }),
    ...convertMap(rest, properties, additionalProperties),
  };
}

function convertAll(schemas: JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, convert(schema as JsonSchema)]),
  );
}

function convertValue(schema: JsonSchema): JsonSchema {
  const { type, minimum, maximum, ...rest } = without(schema, DECLARED_KEY);
  const isInteger =
    type === 'integer' ||
    (Array.isArray(schema['enum']) && schema['enum'].every((value) => Number.isInteger(value)));
  if (!isInteger) return type === undefined ? { ...OPAQUE, ...rest } : { type, ...rest };
  return {
    type: 'integer',
    format: maximum !== undefined && Number(maximum) < 2 ** 31 ? 'int32' : 'int64',
    ...(isBound(minimum) ? { minimum } : {}),
    ...(isBound(maximum) ? { maximum } : {}),
    ...rest,
  };
}

function isBound(value: unknown): boolean {
  return (
    value !== undefined && Number.isSafeInteger(value) && Math.abs(Number(value)) < 2 ** 53 - 1
  );
}

/** What a map may hold; a map of anything is an opaque object, whose refused names are declared. */
function convertMap(rest: JsonSchema, properties: unknown, additional: unknown): JsonSchema {
  if (properties !== undefined || additional === undefined || additional === false) return {};
  if (Object.keys(additional as JsonSchema).length > 0) {
    return { additionalProperties: convert(additional as JsonSchema) };
  }
  const declared = (rest[DECLARED_KEY] ?? []) as readonly string[];
  if (declared.length === 0) return OPAQUE;
  const names = declared.map((name) => [name, { type: 'object', ...OPAQUE }] as const);
  return { ...OPAQUE, properties: Object.fromEntries(names) };
}

function without(schema: JsonSchema, key: string): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
}
