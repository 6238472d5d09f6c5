/** Health of the operator's process: alive while it answers, ready when its caches are filled. */
import type { Server } from 'node:http';
import { nodeHttp } from '@tonearm/runtime/foundation';

export interface HealthServerOptions {
  readonly port: number;
  readonly isReady: () => boolean;
}

export class HealthServer {
  readonly #server: Server;
  readonly #port: number;

  constructor({ port, isReady }: HealthServerOptions) {
    this.#port = port;
    this.#server = nodeHttp.createServer((request, response) => {
      const status = statusOf(request.url ?? '', isReady);
      response.writeHead(status, { 'content-type': 'text/plain' });
      response.end(status === 200 ? 'ok\n' : 'no\n');
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, () => resolve());
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

function statusOf(path: string, isReady: () => boolean): number {
  if (path === '/health/live') return 200;
  if (path === '/health/ready') return isReady() ? 200 : 503;
  return 404;
}
