/**
 * One port of this machine that leads to the ready instances of a Service, one connection after the other. With no
 * instance ready, a connection is closed at once: a client that waits would learn nothing by waiting.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** How far to look for a free port before giving up. */
const PORTS_TRIED = 200;

export class TcpForwarder {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #targets: readonly number[] = [];
  #next = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (client: Socket) => {
      this.#track(client);
      this.#forward(client, this.#targets.length);
    });
  }

  /** Listens on the preferred port, or on the next one that is free. */
  static async open(preferredPort: number): Promise<TcpForwarder> {
    for (let port = preferredPort; port < preferredPort + PORTS_TRIED; port += 1) {
      const server = await listen(port);
      if (server !== undefined) return new TcpForwarder(server, port);
    }
    throw new Error(
      `no free port from ${preferredPort} to ${preferredPort + PORTS_TRIED - 1} on 127.0.0.1: stop some programs that listen there`,
    );
  }

  /** For connections from now on; those that are open stay where they are. */
  lead(targets: readonly number[]): void {
    this.#targets = targets;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #forward(client: Socket, attemptsLeft: number): void {
    const target = this.#targets[this.#next % Math.max(1, this.#targets.length)];
    this.#next += 1;
    if (target === undefined || attemptsLeft <= 0) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({
      port: target,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#track(upstream);
    const onRefused = (): void => this.#forward(client, attemptsLeft - 1);
    upstream.once('error', onRefused);
    upstream.once('connect', () => {
      upstream.off('error', onRefused);
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      client.pipe(upstream).pipe(client);
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // An error that nobody listens to would end this process; each is followed by `close`.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.removeAllListeners('error');
      resolve(server);
    });
  });
}
