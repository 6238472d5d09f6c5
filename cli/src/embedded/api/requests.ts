/** A request as the handlers see it: the parsed address, and the body read on demand. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { ApiError, badRequest } from './api-error.ts';
import { isObject, type JsonObject } from './json.ts';
import { readProtobuf } from './protobuf.ts';
import type { WriteOptions } from './store-operations.ts';
import type { IncludedObject } from './tables.ts';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
}

/** The real server's bound; a larger object could not be stored there either. */
const BODY_BYTES_MAX = 3 * 1024 * 1024;

export const PATCH_TYPES = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const;

export function parseRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  address: string,
): ApiRequest {
  const url = new URL(`http://embedded${address}`);
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    incoming,
    response,
  };
}

export function contentType(request: ApiRequest): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
}

export async function readBody(request: ApiRequest): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.incoming) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > BODY_BYTES_MAX) {
      const message = `Request entity too large: limit is ${BODY_BYTES_MAX}`;
      throw new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message });
    }
    chunks.push(bytes);
  }
  const bytes = Buffer.concat(chunks);
  const type = contentType(request);
  if (bytes.length > 0 && type.includes('protobuf')) return readProtobuf(bytes);
  const text = bytes.toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return type.includes('yaml') && !text.trimStart().startsWith('{')
      ? parseYaml(text)
      : JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(`the body of the request cannot be read: ${why}`);
  }
}

export async function readObject(request: ApiRequest): Promise<JsonObject> {
  const body = await readBody(request);
  if (!isObject(body)) throw badRequest('the body of the request must be an object');
  return body;
}

export function writeOptions(request: ApiRequest): WriteOptions & { readonly manager: string } {
  const { query, headers } = request;
  const agent = (headers['user-agent'] ?? '').split(/[/ ]/)[0] ?? '';
  const validation = query.get('fieldValidation');
  return {
    manager: query.get('fieldManager') ?? (agent === '' ? 'unknown' : agent),
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
    dryRun: query.get('dryRun') === 'All',
  };
}

export type WantedForm = 'object' | 'table' | 'metadata';

/** The first form of the Accept header that this server has. */
export function wantedForm(request: ApiRequest): WantedForm {
  for (const range of (request.headers.accept ?? '').split(',')) {
    if (/;\s*as=Table\b/.test(range) && /;\s*v=v1\b(?!beta)/.test(range)) return 'table';
    if (/;\s*as=PartialObjectMetadata(List)?\b/.test(range)) return 'metadata';
    if (!/;\s*as=/.test(range) && /application\/json|\*\/\*/.test(range)) return 'object';
  }
  return 'object';
}

export function includedObject(request: ApiRequest): IncludedObject {
  const include = request.query.get('includeObject');
  return include === 'None' || include === 'Object' ? include : 'Metadata';
}
