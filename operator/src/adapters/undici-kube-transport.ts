/**
 * The transport over undici: one dispatcher serves all requests, until the credentials change. client-node's own
 * requests would open a new TLS connection each time.
 */
import type { RequestOptions } from 'node:https';
import type { Clock } from '@tonearm/runtime/foundation';
import { Agent, type Dispatcher, openProxyAgent, request } from '@tonearm/runtime/http-client';
import type { KubeServer } from './kube-server.ts';
import type { KubeTransport, TransportRequest, TransportResponse } from './kube-transport.ts';

interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Readonly<Record<string, unknown>>;
  readonly readAtMs: number;
}

/** Tokens of service accounts are replaced on disk long before they expire; client-node re-reads them as often. */
const CREDENTIALS_MAX_AGE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
const USER_AGENT = 'tonearm-operator/0.1.0';

export class UndiciKubeTransport implements KubeTransport {
  readonly #server: KubeServer;
  readonly #clock: Clock;
  #credentials: Credentials | undefined;
  #dispatcher: { readonly key: string; readonly dispatcher: Dispatcher } | undefined;

  constructor(server: KubeServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  async send(wanted: TransportRequest): Promise<TransportResponse> {
    const { headers } = await this.#freshCredentials();
    const response = await request(`${this.#server.url}${wanted.path}`, {
      dispatcher: this.#currentDispatcher(),
      method: wanted.method,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': USER_AGENT,
        ...(wanted.contentType === undefined ? {} : { 'content-type': wanted.contentType }),
      },
      body: wanted.body ?? null,
      signal: wanted.signal ?? null,
      headersTimeout: wanted.idleTimeoutMs,
      bodyTimeout: wanted.idleTimeoutMs,
    });
    return {
      status: response.statusCode,
      header: (name) => {
        const value = response.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      text: () => response.body.text(),
      chunks: () => response.body as AsyncIterable<Uint8Array>,
    };
  }

  async close(): Promise<void> {
    await this.#dispatcher?.dispatcher.destroy();
    this.#dispatcher = undefined;
  }

  async #freshCredentials(): Promise<Credentials> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#credentials;
    if (known !== undefined && nowMs - known.readAtMs < CREDENTIALS_MAX_AGE_MS) return known;
    const options: RequestOptions = {};
    await this.#server.authorize(options);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const fresh = {
      headers: authorizationOf(options),
      tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
      readAtMs: nowMs,
    };
    this.#credentials = fresh;
    return fresh;
  }

  #currentDispatcher(): Dispatcher {
    const tls = this.#credentials?.tls ?? {};
    const key = JSON.stringify(tls);
    if (this.#dispatcher?.key !== key) {
      // The requests of the old dispatcher go on; it closes when they have ended.
      void this.#dispatcher?.dispatcher.close();
      this.#dispatcher = { key, dispatcher: this.#buildDispatcher(tls) };
    }
    return this.#dispatcher.dispatcher;
  }

  #buildDispatcher(tls: Readonly<Record<string, unknown>>): Dispatcher {
    const proxy = this.#server.proxyUrl;
    if (proxy !== undefined) return openProxyAgent({ uri: proxy, requestTls: tls });
    return new Agent({ connect: { ...tls, keepAlive: true, timeout: CONNECT_TIMEOUT_MS } });
  }
}

function authorizationOf(options: RequestOptions): Readonly<Record<string, string>> {
  if (typeof options.auth === 'string') {
    return { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` };
  }
  const headers = Object.entries(options.headers ?? {}) as readonly (readonly [string, unknown])[];
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}
