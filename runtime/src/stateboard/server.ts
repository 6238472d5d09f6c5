/**
 * The stateboard's HTTP server. Every call carries the password; a watch is an answer that never ends, one line of
 * JSON for each batch of changes.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import type { Logger } from '../foundation/logger.ts';
import { nodeHttp } from '../foundation/node-http.ts';
import { readRequestSchema, transactRequestSchema, watchRequestSchema } from './messages.ts';
import type { StateboardStore } from './store.ts';
import { WatchAnswer } from './watch-answer.ts';

export interface StateboardServerOptions {
  readonly store: StateboardStore;
  readonly password: string;
  readonly logger: Logger;
}

const LARGEST_BODY = 4_000_000;
const SLOWEST_REQUEST_MS = 10_000;

class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class StateboardServer {
  readonly #store: StateboardStore;
  readonly #password: string;
  readonly #logger: Logger;
  readonly #server: Server;

  constructor(options: StateboardServerOptions) {
    this.#store = options.store;
    this.#password = options.password;
    this.#logger = options.logger;
    this.#server = nodeHttp.createServer(
      (request, response) => void this.#handle(request, response),
    );
    this.#server.keepAliveTimeout = 30_000;
    // A client that sends its request by drops holds a part of it in memory.
    this.#server.headersTimeout = SLOWEST_REQUEST_MS;
    this.#server.requestTimeout = SLOWEST_REQUEST_MS;
  }

  /** Resolves to the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500;
      if (status === 500) this.#logger.error({ error }, 'a call failed');
      if (response.headersSent) response.destroy();
      else answer(response, status, { message: error instanceof Error ? error.message : '' });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET' && request.url === '/health') {
      answer(response, 200, { revision: this.#store.revision });
      return;
    }
    if (request.method !== 'POST') throw new Refusal(404, 'There is no such call.');
    this.#authorize(request.headers.authorization);
    switch (request.url) {
      case '/v1/read': {
        const { ranges } = await bodyOf(request, readRequestSchema);
        answer(response, 200, this.#store.read(ranges));
        return;
      }
      case '/v1/transact': {
        const transaction = await bodyOf(request, transactRequestSchema);
        answer(response, 200, await this.#store.transact(transaction));
        return;
      }
      case '/v1/watch': {
        const { prefix, fromRevision } = await bodyOf(request, watchRequestSchema);
        this.#watch(response, prefix, fromRevision);
        return;
      }
      default:
        throw new Refusal(404, 'There is no such call.');
    }
  }

  #watch(response: ServerResponse, prefix: string, fromRevision: number): void {
    const store = this.#store;
    if (fromRevision <= store.compacted) {
      throw new Refusal(410, `Revision ${fromRevision} was compacted; list again.`);
    }
    if (fromRevision > store.revision + 1) {
      throw new Refusal(
        410,
        `Revision ${fromRevision} is ahead of the store, which is at ${store.revision}.`,
      );
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    new WatchAnswer(store, response, { prefix, next: fromRevision }).begin();
  }

  #authorize(header: string | undefined): void {
    const wanted = `Basic ${Buffer.from(`client:${this.#password}`).toString('base64')}`;
    if (!timingSafeEqual(digest(header ?? ''), digest(wanted))) {
      throw new Refusal(401, 'The password of the stateboard is wrong.');
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function bodyOf<T extends z.ZodType>(
  request: IncomingMessage,
  schema: T,
): Promise<z.infer<T>> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > LARGEST_BODY) throw new Refusal(413, `The request has over ${LARGEST_BODY} bytes.`);
    parts.push(part);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refusal(400, 'The request is not JSON.');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Refusal(400, `The request is wrong at "${issue?.path.join('.')}": ${issue?.message}`);
}
