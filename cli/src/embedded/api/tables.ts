/** Server-side tables: what kubectl prints is decided here, not in kubectl. */
import type { JsonObject } from './json.ts';
import { finishedObject, type KubernetesObject } from './kubernetes-object.ts';
import type { ServedResource } from './served-resource.ts';

export type IncludedObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly nowMs: number;
  readonly include: IncludedObject;
  readonly metadata: JsonObject;
}

export function buildTable(
  resource: ServedResource,
  objects: readonly KubernetesObject[],
  options: TableOptions,
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: resource.columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format: format ?? '',
      description,
      priority,
    })),
    rows: objects.map((object) => buildRow(resource, object, options)),
  };
}

function buildRow(
  resource: ServedResource,
  object: KubernetesObject,
  { nowMs, include }: TableOptions,
): JsonObject {
  // Columns are written for the stored form: the two forms of an event print alike.
  const stored = finishedObject(resource.toStored(object));
  const cells = resource.columns.map((column) => column.cellOf(stored, nowMs));
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object) };
}

export function partialMetadata(object: KubernetesObject): JsonObject {
  const { metadata } = object;
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}
