/**
 * Turns a CustomResourceDefinition into the resources that it makes served, one for each served
 * version. Versions share a schema shape (conversion strategy None): only `apiVersion` differs.
 */
import { type FieldIssue, invalidValue, requiredValue } from './api-error.ts';
import { AGE_COLUMN, NAME_COLUMN } from './builtin-columns.ts';
import { applyDefaults, pruneObject, type Schema } from './crd-schema.ts';
import { validateAgainstSchema } from './crd-validation.ts';
import { renderAge } from './durations.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import { fieldNames, readJsonPath } from './json-paths.ts';
import { groupVersion, type KubernetesObject } from './kubernetes-object.ts';
import { schemaType } from './merge-types.ts';
import {
  type ScalePaths,
  type ServedResource,
  storageId,
  type TableColumn,
} from './served-resource.ts';

/** Verdicts beyond the schema, such as rules over several fields and over the old object. */
export type CustomValidation = (
  group: string,
  kind: string,
  object: KubernetesObject,
  oldObject: KubernetesObject | undefined,
) => readonly Verdict[];

export interface Verdict {
  /** A path such as `spec.replicaSets[0].name`. */
  readonly field: string;
  readonly message: string;
}

export function customResources(
  definition: KubernetesObject,
  validate: CustomValidation,
): ServedResource[] {
  const versions = listAt(definition, 'spec', 'versions').filter(isObject);
  const stored = textAt(
    versions.find((version) => version['storage'] === true),
    'name',
  );
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => customResource(definition, version, { stored, validate }));
}

interface CustomContext {
  readonly stored: string;
  readonly validate: CustomValidation;
}

function customResource(
  definition: KubernetesObject,
  version: JsonObject,
  { stored, validate }: CustomContext,
): ServedResource {
  const group = textAt(definition, 'spec', 'group');
  const names = objectAt(definition, 'spec', 'names');
  const schema: Schema = objectAt(version, 'schema', 'openAPIV3Schema');
  const plural = textAt(names, 'plural');
  const kind = textAt(names, 'kind');
  const subresources = objectAt(version, 'subresources');
  const fields = listAt(version, 'selectableFields').map((item) => textAt(item, 'jsonPath'));
  return {
    group,
    version: textAt(version, 'name'),
    plural,
    kind,
    singular: textAt(names, 'singular') || kind.toLowerCase(),
    listKind: textAt(names, 'listKind') || `${kind}List`,
    shortNames: listAt(names, 'shortNames').map(String),
    categories: listAt(names, 'categories').map(String),
    isNamespaced: textAt(definition, 'spec', 'scope') === 'Namespaced',
    storageId: storageId(group, plural),
    hasStatus: subresources['status'] !== undefined,
    hasGeneration: true,
    scale: scaleOf(objectAt(subresources, 'scale')),
    mergeType: schemaType(schema),
    isCustom: true,
    allowsBlindReplacement: false,
    selectableFields: fields.map((path) => fieldNames(path).join('.')),
    columns: columnsOf(listAt(version, 'additionalPrinterColumns')),
    schema,
    toServed: (object) => ({ ...object, apiVersion: groupVersion(group, textAt(version, 'name')) }),
    toStored: (object) => ({ ...object, apiVersion: groupVersion(group, stored) }),
    admit: (draft) => {
      const pruned = pruneObject(draft, schema);
      const filled = applyDefaults(pruned.value, schema);
      return { object: isObject(filled) ? filled : {}, unknown: pruned.unknown };
    },
    validate: (object, old) => {
      const issues = validateAgainstSchema(object, schema);
      if (issues.length > 0) return issues;
      return validate(group, kind, object, old).map((verdict) => verdictIssue(object, verdict));
    },
    initialStatus: () => undefined,
  };
}

/** A verdict has the form of a broken CEL rule: plain values are shown, objects and lists are not. */
function verdictIssue(object: KubernetesObject, verdict: Verdict): FieldIssue {
  const { field, message } = verdict;
  const [value] = readJsonPath(object, `.${field}`);
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    return invalidValue(field, value, message);
  }
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${message}`, field };
}

function scaleOf(scale: JsonObject): ScalePaths | undefined {
  const specReplicas = textAt(scale, 'specReplicasPath');
  if (specReplicas === '') return undefined;
  const selectorPath = textAt(scale, 'labelSelectorPath');
  return {
    specReplicas: fieldNames(specReplicas),
    statusReplicas: fieldNames(textAt(scale, 'statusReplicasPath')),
    selectorOf: (object) => textAt(object, ...fieldNames(selectorPath)),
  };
}

function columnsOf(declared: readonly unknown[]): TableColumn[] {
  if (declared.length === 0) return [NAME_COLUMN, AGE_COLUMN];
  return [NAME_COLUMN, ...declared.filter(isObject).map(columnOf)];
}

function columnOf(declared: JsonObject): TableColumn {
  const type = textAt(declared, 'type');
  const path = textAt(declared, 'jsonPath');
  const format = textAt(declared, 'format');
  return {
    name: textAt(declared, 'name'),
    type,
    ...(format === '' ? {} : { format }),
    description: textAt(declared, 'description'),
    priority: typeof declared['priority'] === 'number' ? declared['priority'] : 0,
    cellOf: (object, nowMs) => {
      const [value] = readJsonPath(object, path);
      if (value === undefined) return null;
      if (type === 'date') return typeof value === 'string' ? renderAge(value, nowMs) : null;
      return type === 'string' && typeof value !== 'string' ? JSON.stringify(value) : value;
    },
  };
}

/** What a definition must say before anything of it can be served. */
export function definitionIssues(definition: KubernetesObject): FieldIssue[] {
  const group = textAt(definition, 'spec', 'group');
  const plural = textAt(definition, 'spec', 'names', 'plural');
  const issues: FieldIssue[] = [];
  for (const path of [['group'], ['names', 'plural'], ['names', 'kind'], ['scope']]) {
    if (textAt(definition, 'spec', ...path) === '') {
      issues.push(requiredValue(['spec', ...path].join('.')));
    }
  }
  if (issues.length === 0 && definition.metadata.name !== `${plural}.${group}`) {
    const why = `must be spec.names.plural+"."+spec.group`;
    issues.push(invalidValue('metadata.name', definition.metadata.name, why));
  }
  const versions = listAt(definition, 'spec', 'versions').filter(isObject);
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    const why = 'must have exactly one version marked as storage version';
    issues.push(
      invalidValue(
        'spec.versions',
        versions.map((item) => item['name']),
        why,
      ),
    );
  }
  for (const [at, version] of versions.entries()) {
    if (isObject(version['schema'])) continue;
    const why = 'schemas are required';
    issues.push(requiredValue(`spec.versions[${at}].schema.openAPIV3Schema`, why));
  }
  return issues;
}

/** A definition is accepted in the request that makes it, so it is established from the start. */
export function definitionStatus(definition: JsonObject, time: string): JsonObject {
  const names = objectAt(definition, 'spec', 'names');
  const kind = textAt(names, 'kind');
  const versions = listAt(definition, 'spec', 'versions').filter(isObject);
  const condition = { status: 'True', lastTransitionTime: time };
  return {
    acceptedNames: { ...names, listKind: textAt(names, 'listKind') || `${kind}List` },
    conditions: [
      { ...condition, type: 'NamesAccepted', reason: 'NoConflicts', message: 'no conflicts found' },
      {
        ...condition,
        type: 'Established',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
    ],
    storedVersions: versions.filter((item) => item['storage'] === true).map((item) => item['name']),
  };
}
