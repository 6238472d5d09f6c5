/**
 * OpenAPI v3 documents: what `kubectl explain` shows, and what tells `kubectl apply` that this
 * server validates fields itself. The patch operations do not name the strategic merge patch, so
 * that kubectl computes it from its own types, which are complete, and not from these documents.
 */
import { pathNotFound } from './api-error.ts';
import { type JsonObject, objectAt } from './json.ts';
import { BUILTIN_SCHEMAS, SHARED_SCHEMAS } from './openapi-schemas.ts';
import type { ServedResource } from './served-resource.ts';

export function buildOpenApiIndex(resources: readonly ServedResource[], tag: string): JsonObject {
  const paths: JsonObject = {};
  for (const resource of resources) {
    const path = pathOf(resource.group, resource.version);
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${tag}` };
  }
  return { paths };
}

export function buildOpenApiDocument(
  resources: readonly ServedResource[],
  group: string,
  version: string,
): JsonObject {
  const own = resources.filter((item) => item.group === group && item.version === version);
  if (own.length === 0) throw pathNotFound();
  const schemas: JsonObject = { ...SHARED_SCHEMAS };
  const paths: JsonObject = {};
  for (const resource of own) {
    schemas[schemaName(resource)] = kindSchema(resource);
    Object.assign(paths, resourcePaths(resource));
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'embedded' },
    paths,
    components: { schemas },
  };
}

function pathOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

function schemaName(resource: ServedResource): string {
  const group = resource.group === '' ? 'core' : resource.group;
  return `${group.split('.').reverse().join('.')}.${resource.version}.${resource.kind}`;
}

function kindOf(resource: ServedResource): JsonObject {
  return { group: resource.group, version: resource.version, kind: resource.kind };
}

function kindSchema(resource: ServedResource): JsonObject {
  const schema: JsonObject = resource.schema ??
    BUILTIN_SCHEMAS[resource.kind] ?? { type: 'object' };
  const properties = objectAt(schema, 'properties');
  return {
    ...schema,
    properties: {
      apiVersion: { type: 'string', description: 'The group and version of this kind.' },
      kind: { type: 'string', description: 'The kind of this object.' },
      ...properties,
      metadata: {
        description: 'What every object has: name, labels, owners.',
        allOf: [{ $ref: '#/components/schemas/ObjectMeta' }],
      },
    },
    'x-kubernetes-group-version-kind': [kindOf(resource)],
  };
}

function resourcePaths(resource: ServedResource): JsonObject {
  const base = `/${pathOf(resource.group, resource.version)}`;
  const scope = resource.isNamespaced ? '/namespaces/{namespace}' : '';
  const collection = `${base}${scope}/${resource.plural}`;
  const kind = kindOf(resource);
  const read = { responses: responses(resource), 'x-kubernetes-group-version-kind': kind };
  const write = { ...read, parameters: WRITE_PARAMETERS, requestBody: bodyOf(resource) };
  return {
    [collection]: { get: read, post: write },
    [`${collection}/{name}`]: {
      get: read,
      put: write,
      delete: read,
      patch: { ...write, requestBody: PATCH_BODY },
    },
  };
}

const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
  name,
  in: 'query',
  schema: { type: name === 'force' ? 'boolean' : 'string' },
}));

const PATCH_BODY = {
  content: Object.fromEntries(
    [
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/apply-patch+yaml',
    ].map((type) => [type, { schema: { type: 'object' } }]),
  ),
};

function bodyOf(resource: ServedResource): JsonObject {
  const schema = { $ref: `#/components/schemas/${schemaName(resource)}` };
  return { content: { 'application/json': { schema } } };
}

function responses(resource: ServedResource): JsonObject {
  return { '200': { description: 'OK', ...bodyOf(resource) } };
}

/** Changes whenever a document may have changed, so that clients may keep documents by it. */
export function openApiTag(resources: readonly ServedResource[]): string {
  let hash = 0;
  const text = JSON.stringify(resources.map((item) => [schemaName(item), item.schema]));
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0;
  return (hash >>> 0).toString(16).toUpperCase().padStart(8, '0');
}
