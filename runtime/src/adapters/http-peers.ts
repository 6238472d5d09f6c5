/** Calls to other instances over HTTP: `POST /internal/<method>` with MessagePack both ways. */
import { Packr } from 'msgpackr';
import { ClusterError, isErrorCode } from '../core/errors.ts';
import { Agent, request } from '../foundation/http-client.ts';
import { type PeerCallOptions, PeerError, type Peers } from '../ports/peers.ts';
import { NameCache } from './name-cache.ts';

export const INTERNAL_CONTENT_TYPE = 'application/msgpack';

/** Plain maps and arrays only: no extension of one library may become the wire format. */
const packr = new Packr({ useRecords: false, mapsAsObjects: true });

export function encodeInternal(value: unknown): Buffer {
  return packr.pack(value === undefined ? null : value);
}

export function decodeInternal(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? null : (packr.unpack(bytes) as unknown);
}

/** Errors before a request was written: the peer cannot have executed anything. */
const NOT_SENT_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

export interface HttpPeersOptions {
  readonly authorization: string;
  readonly connectTimeoutMs?: number;
}

export class HttpPeers implements Peers {
  readonly #agent: Agent;
  readonly #authorization: string;
  readonly #names = new NameCache();

  constructor(options: HttpPeersOptions) {
    this.#authorization = options.authorization;
    this.#agent = new Agent({
      connect: {
        timeout: options.connectTimeoutMs ?? 1000,
        lookup: this.#names.lookup,
      },
      keepAliveTimeout: 30_000,
      // Every call has a deadline of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async call(
    address: string,
    method: string,
    body: unknown,
    options: PeerCallOptions,
  ): Promise<unknown> {
    const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(options.timeoutMs)));
    const signal =
      options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
    const answer = await this.#send({ address, method, body: encodeInternal(body), signal });
    return openAnswer(answer, `${method} at ${address}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(call: {
    readonly address: string;
    readonly method: string;
    readonly body: Buffer;
    readonly signal: AbortSignal;
  }): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
    try {
      const response = await request(`http://${call.address}/internal/${call.method}`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: { authorization: this.#authorization, 'content-type': INTERNAL_CONTENT_TYPE },
        body: call.body,
        signal: call.signal,
      });
      return { status: response.statusCode, bytes: await response.body.bytes() };
    } catch (error) {
      this.#names.forget(call.address.slice(0, call.address.lastIndexOf(':')));
      throw asPeerError(error, `${call.method} at ${call.address}`);
    }
  }
}

function asPeerError(error: unknown, what: string): PeerError {
  const code = codeOf(error);
  if (NOT_SENT_CODES.has(code)) {
    return new PeerError('not-sent', `${what}: the peer cannot be reached (${code})`, {
      cause: error,
    });
  }
  const aborted =
    error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
  return new PeerError(
    'unknown',
    `${what}: ${aborted ? 'no answer in time' : 'the connection broke'} (${code})`,
    {
      cause: error,
    },
  );
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return error.code;
  return error instanceof Error ? error.name : 'unknown error';
}

function openAnswer(
  answer: { readonly status: number; readonly bytes: Uint8Array },
  what: string,
): unknown {
  if (answer.status === 401) {
    throw new ClusterError('UNAUTHORIZED', {
      message: `${what} was refused: the peer has another cluster cookie`,
    });
  }
  const decoded = decodeAnswer(answer.bytes, what);
  if (decoded.ok) return decoded.value;
  const { code, message, field, details } = decoded.error;
  throw new ClusterError(isErrorCode(code) ? code : 'INTERNAL', {
    message,
    ...(field === undefined || field === null ? {} : { field }),
    ...(details === undefined || details === null ? {} : { details }),
  });
}

interface WireError {
  readonly code: string;
  readonly message: string;
  readonly field?: string | null;
  readonly details?: Record<string, unknown> | null;
}

type WireAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: WireError };

function decodeAnswer(bytes: Uint8Array, what: string): WireAnswer {
  try {
    const decoded = decodeInternal(bytes);
    if (typeof decoded === 'object' && decoded !== null && 'ok' in decoded)
      return decoded as WireAnswer;
  } catch {
    // Said below: whatever answered, it does not speak our protocol.
  }
  throw new PeerError('unknown', `${what}: the answer is not one of an instance`);
}
