/**
 * The one HTTP server of an instance. Fastify refuses routes after it listens, so complete applications are swapped:
 * a new one takes all further requests, the old one is closed when its last request has been answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { nodeHttp } from '../foundation/node-http.ts';

interface Served {
  readonly app: FastifyInstance;
  requestCount: number;
  isRetired: boolean;
}

export class HttpListener {
  readonly #server: Server;
  #served: Served | undefined;

  constructor() {
    this.#server = nodeHttp.createServer((request, response) => this.#dispatch(request, response));
    this.#server.keepAliveTimeout = 65_000;
  }

  /** Resolves with the port; 0 asks for any. Rejects when the port is taken. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  swap(app: FastifyInstance): void {
    const old = this.#served;
    this.#served = { app, requestCount: 0, isRetired: false };
    if (old === undefined) return;
    old.isRetired = true;
    void closeWhenIdle(old);
  }

  /** Stops accepting, waits up to `graceMs` for requests under way, then cuts the connections. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
    await this.#served?.app.close();
  }

  #dispatch(request: IncomingMessage, response: ServerResponse): void {
    const served = this.#served;
    if (served === undefined) {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end('{"code":"STATE_FORBIDS","message":"The instance is starting."}');
      return;
    }
    served.requestCount++;
    response.once('close', () => {
      served.requestCount--;
      void closeWhenIdle(served);
    });
    served.app.routing(request, response);
  }
}

async function closeWhenIdle(served: Served): Promise<void> {
  if (served.isRetired && served.requestCount === 0) await served.app.close();
}
