/**
 * The one HTTP server of an instance. Fastify refuses routes after it listens, so complete applications are swapped:
 * a new one takes all further requests, the old one is closed when its last request has been answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Logger } from '../foundation/logger.ts';
import { nodeHttp } from '../foundation/node-http.ts';

interface Served {
  readonly app: FastifyInstance;
  requestCount: number;
  isRetired: boolean;
}

export class HttpListener {
  readonly #logger: Logger;
  readonly #server: Server;
  #served: Served | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
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
    this.#closeWhenIdle(old);
  }

  /**
   * Stops accepting, waits up to `graceMs` for requests under way, then cuts the connections. Hooks of roles get as
   * long to close what they have opened.
   */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
    if (this.#served !== undefined) await this.#closeApp(this.#served.app, graceMs);
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
      this.#closeWhenIdle(served);
    });
    served.app.routing(request, response);
  }

  #closeWhenIdle({ app, isRetired, requestCount }: Served): void {
    if (isRetired && requestCount === 0) void this.#closeApp(app);
  }

  /** Runs hooks of roles: what these throw is their own trouble, and one that never ends is waited for no longer. */
  async #closeApp(app: FastifyInstance, limitMs?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      if (limitMs === undefined) return;
      timer = setTimeout(() => reject(new Error('an onClose hook does not end')), limitMs);
    });
    try {
      await Promise.race([app.close(), late]);
    } catch (error) {
      this.#logger.error({ error }, 'the HTTP routes of a role failed to close');
    } finally {
      clearTimeout(timer);
    }
  }
}
