/**
 * Who may ask the API on loopback. Whoever can create pods here runs code as this user, and any web page in the
 * user's browser can send requests to 127.0.0.1: what a page cannot do is know the secret in the path, leave its
 * `Origin` out of a write, name our `Host` after it has bent its own name to us, or send JSON unasked.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ApiError, unsupportedMediaType } from './api-error.ts';

export type Admission =
  /** The rest of the address. */
  | { readonly kind: 'admitted'; readonly url: string }
  /** Told nothing, not even that this is an API. */
  | { readonly kind: 'unknown-path' };

const WRITES = new Set(['POST', 'PUT', 'PATCH']);
/** As kubectl sends them; a page may send none of these without being allowed to. */
const BODY_TYPES = /^application\/(json|yaml|[a-z-]+\+(json|yaml)|vnd\.kubernetes\.protobuf)$/;

/** Throws a refusal when something other than the path is wrong; the form of a body is judged by `checkBodyType`. */
export function admitRequest(incoming: IncomingMessage, secret: string): Admission {
  const [, first = '', rest] = /^\/([^/?]*)(.*)$/.exec(incoming.url ?? '') ?? [];
  if (rest === undefined || !isSame(first, secret)) return { kind: 'unknown-path' };
  if (incoming.headers.origin !== undefined) {
    throw refused('web pages may not use this API: the request has an Origin header');
  }
  if (!isOwnHost(incoming)) {
    throw refused('this API is on 127.0.0.1 only: the Host header names something else');
  }
  return { kind: 'admitted', url: rest.startsWith('/') ? rest : `/${rest}` };
}

function isOwnHost({ headers, socket }: IncomingMessage): boolean {
  const port = socket.localPort ?? 0;
  return [`127.0.0.1:${port}`, `localhost:${port}`].includes(headers.host?.toLowerCase() ?? '');
}

function isSame(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Comes before anything is read or changed. */
export function checkBodyType({ method = '', headers }: IncomingMessage): void {
  const hasBody = (headers['content-length'] ?? '0') !== '0' || 'transfer-encoding' in headers;
  if (!WRITES.has(method) && !hasBody) return;
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (BODY_TYPES.test(type)) return;
  throw unsupportedMediaType([
    'application/json',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
  ]);
}

function refused(message: string): ApiError {
  return new ApiError({ code: 403, reason: 'Forbidden', message });
}
