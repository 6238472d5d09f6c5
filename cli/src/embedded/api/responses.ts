/** Answers in the form that the client asked for: objects, tables or metadata only. */
import type { ServerResponse } from 'node:http';
import { ApiError } from './api-error.ts';
import type { JsonObject } from './json.ts';
import { groupVersion, type KubernetesObject } from './kubernetes-object.ts';
import { type ApiRequest, includedObject, wantedForm } from './requests.ts';
import type { ServedResource } from './served-resource.ts';
import type { ObjectList } from './store-operations.ts';
import { buildTable, partialMetadata } from './tables.ts';

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
  });
  response.end(text);
}

export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof ApiError ? error : unexpected(error);
  sendJson(response, known.code, known.status());
}

function unexpected(error: unknown): ApiError {
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
  });
}

export function addWarnings(response: ServerResponse, warnings: readonly string[]): void {
  const lines = warnings.map((text) => `299 - ${JSON.stringify(text)}`);
  if (lines.length > 0) response.setHeader('warning', lines);
}

export function renderObject(
  request: ApiRequest,
  resource: ServedResource,
  object: KubernetesObject,
  nowMs: number,
): unknown {
  switch (wantedForm(request)) {
    case 'object':
      return object;
    case 'metadata':
      return partialMetadata(object);
    case 'table': {
      const metadata = { resourceVersion: object.metadata.resourceVersion };
      return buildTable(resource, [object], { nowMs, include: includedObject(request), metadata });
    }
  }
}

export function renderList(
  request: ApiRequest,
  resource: ServedResource,
  list: ObjectList,
  nowMs: number,
): JsonObject {
  const metadata: JsonObject = { resourceVersion: list.resourceVersion };
  if (list.next !== undefined) {
    metadata['continue'] = Buffer.from(list.next, 'utf8').toString('base64url');
    metadata['remainingItemCount'] = list.remainingCount;
  }
  switch (wantedForm(request)) {
    case 'table':
      return buildTable(resource, list.items, {
        nowMs,
        include: includedObject(request),
        metadata,
      });
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: list.items.map(partialMetadata),
      };
    case 'object':
      return {
        kind: resource.listKind,
        apiVersion: groupVersion(resource.group, resource.version),
        metadata,
        items: list.items,
      };
  }
}
