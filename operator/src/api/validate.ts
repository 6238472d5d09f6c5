/**
 * The verdict on a custom resource: the schema first, and only for objects of the right shape the rules, as an API
 * server does it. Messages of rules are the same as there.
 */
import { z } from 'zod';
import type { KubeObject } from './kube-object.ts';
import { RULES_KEY, type Rule } from './rules.ts';
import { type Cluster, clusterSchema } from './v1alpha1/cluster.ts';
import { type ReplicaSet, replicaSetSchema } from './v1alpha1/replica-set.ts';

export interface FieldProblem {
  /** As in `spec.replicaSets[0].name`; empty for the object as a whole. */
  readonly field: string;
  readonly message: string;
}

export type Verdict<T> =
  | { readonly kind: 'valid'; readonly object: T }
  | { readonly kind: 'invalid'; readonly problems: readonly FieldProblem[] };

/** A valid object comes back with defaults filled in and without unknown fields. */
export function parseCluster(object: unknown, old?: Cluster): Verdict<Cluster> {
  return parseResource(clusterSchema, object, old);
}

export function parseReplicaSet(object: unknown, old?: ReplicaSet): Verdict<ReplicaSet> {
  return parseResource(replicaSetSchema, object, old);
}

export function validateCluster(object: unknown, old?: Cluster): readonly FieldProblem[] {
  const verdict = parseCluster(object, old);
  return verdict.kind === 'valid' ? [] : verdict.problems;
}

export function validateReplicaSet(object: unknown, old?: ReplicaSet): readonly FieldProblem[] {
  const verdict = parseReplicaSet(object, old);
  return verdict.kind === 'valid' ? [] : verdict.problems;
}

export function parseResource<T extends KubeObject>(
  schema: z.ZodType<T>,
  object: unknown,
  old?: T,
): Verdict<T> {
  const parsed = schema.safeParse(object);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => describeIssue(issue, object));
    return { kind: 'invalid', problems };
  }
  const problems = [...findViolations(schema, { self: parsed.data, old }, '')];
  return problems.length === 0
    ? { kind: 'valid', object: parsed.data }
    : { kind: 'invalid', problems };
}

/** Paths of fields that the schema does not know: an API server drops them, and kubectl refuses them. */
export function findUnknownFields(schema: z.ZodType, value: unknown, path = ''): readonly string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    const element = inner.element as z.ZodType;
    return value.flatMap((item, i) => findUnknownFields(element, item, `${path}[${i}]`));
  }
  if (!(inner instanceof z.ZodObject) || !isRecord(value)) return [];
  if (inner.def.catchall !== undefined) return [];
  const shape = inner.shape as Readonly<Record<string, z.ZodType>>;
  return Object.entries(value).flatMap(([key, field]) => {
    const known = shape[key];
    const at = join(path, key);
    return known === undefined ? [at] : findUnknownFields(known, field, at);
  });
}

interface Pair {
  readonly self: unknown;
  readonly old: unknown;
}

function* findViolations(schema: z.ZodType, pair: Pair, path: string): Generator<FieldProblem> {
  const { self, old } = pair;
  if (self === undefined) return;
  yield* findViolationsHere(rulesOf(schema), pair, path);
  const inner = unwrapOnce(schema);
  if (inner !== undefined) {
    yield* findViolations(inner, pair, path);
  } else if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.ZodType>> = schema.shape;
    for (const [key, field] of Object.entries(shape)) {
      yield* findViolations(field, { self: at(self, key), old: at(old, key) }, join(path, key));
    }
  } else if (schema instanceof z.ZodArray && Array.isArray(self)) {
    yield* findViolationsInList(schema, { self, old: Array.isArray(old) ? old : [] }, path);
  }
}

function* findViolationsHere(
  rules: readonly Rule<unknown>[],
  { self, old }: Pair,
  path: string,
): Generator<FieldProblem> {
  for (const rule of rules) {
    if (rule.transition === true && old === undefined) continue;
    if (rule.holds(self, old)) continue;
    yield { field: `${path}${rule.fieldPath ?? ''}`.replace(/^\./, ''), message: rule.message };
  }
}

function* findViolationsInList(
  schema: z.ZodArray,
  lists: { readonly self: readonly unknown[]; readonly old: readonly unknown[] },
  path: string,
): Generator<FieldProblem> {
  const element = schema.element as z.ZodType;
  const keyOf = elementKey(schema.meta() ?? {});
  const seen = new Set<string>();
  for (const [index, self] of lists.self.entries()) {
    const where = `${path}[${index}]`;
    const key = keyOf?.(self);
    if (key !== undefined && seen.has(key)) {
      yield { field: where, message: `Duplicate value: ${key}` };
    }
    if (key !== undefined) seen.add(key);
    // Elements of a list without identity are always new: they have no old value to compare with.
    const old = key === undefined ? undefined : lists.old.find((other) => keyOf?.(other) === key);
    yield* findViolations(element, { self, old }, where);
  }
}

/** What tells the elements of a list apart, if anything does. */
function elementKey(
  meta: Readonly<Record<string, unknown>>,
): ((element: unknown) => string) | undefined {
  if (meta['x-kubernetes-list-type'] === 'set') return (element) => JSON.stringify(element);
  const keys = meta['x-kubernetes-list-map-keys'];
  if (!Array.isArray(keys)) return undefined;
  return (element) =>
    JSON.stringify(Object.fromEntries(keys.map((key: string) => [key, at(element, key)])));
}

function rulesOf(schema: z.ZodType): readonly Rule<unknown>[] {
  return (schema.meta()?.[RULES_KEY] ?? []) as readonly Rule<unknown>[];
}

function unwrapOnce(schema: z.ZodType): z.ZodType | undefined {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return schema.def.innerType as z.ZodType;
  }
  return undefined;
}

function unwrap(schema: z.ZodType): z.ZodType {
  const inner = unwrapOnce(schema);
  return inner === undefined ? schema : unwrap(inner);
}

function describeIssue(issue: z.core.$ZodIssue, object: unknown): FieldProblem {
  const field = issue.path.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : join(path, String(key))),
    '',
  );
  const value = issue.path.reduce<unknown>((found, key) => at(found, key), object);
  if (issue.code === 'invalid_type' && value === undefined) {
    return { field, message: 'Required value' };
  }
  if (issue.code === 'invalid_value') {
    const supported = issue.values.map((known) => JSON.stringify(known)).join(', ');
    return {
      field,
      message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
    };
  }
  if (issue.code === 'invalid_format' && issue.pattern !== undefined) {
    return {
      field,
      message: `Invalid value: ${JSON.stringify(value)}: should match ${issue.pattern}`,
    };
  }
  return { field, message: issue.message };
}

function at(value: unknown, key: PropertyKey): unknown {
  return isRecord(value) ? value[key] : undefined;
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
