/**
 * TCP for the server of the binary protocol.
 *
 * Lean: a read goes into one buffer that all connections share, and a write is made at once on the socket's file
 * descriptor, without the layers of streams between. Node has no public way to that for accepted sockets, so private
 * parts of `net` are used where they are as expected; otherwise, and when not wanted, the public way does the same.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { ByteConnection, ByteListener, ByteSession } from '../core/iproto/connection.ts';
import type { Logger } from '../foundation/logger.ts';

export interface IprotoListenerOptions {
  readonly host: string;
  /** 0 asks for any. */
  readonly port: number;
  readonly logger: Logger;
  /** Default true. */
  readonly lean?: boolean;
}

const READ_BUFFER = 128 * 1024;
const BACKLOG = 511;
/** How long a peer may take to close its side when ours is closed. */
const END_MS = 1000;

/** The private parts: the handle of an open socket, and what of it is used. */
interface SocketInside {
  _handle: { readonly fd: number } | null;
}

export class IprotoListener implements ByteListener {
  readonly #options: IprotoListenerOptions;
  readonly #isLean: boolean;
  readonly #buffer = new Uint8Array(READ_BUFFER);
  #server: Server | undefined;

  constructor(options: IprotoListenerOptions) {
    this.#options = options;
    this.#isLean = (options.lean ?? true) && process.platform !== 'win32';
  }

  async listen(accept: (connection: ByteConnection) => ByteSession): Promise<number> {
    const { host, port, logger } = this.#options;
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      this.#open(socket, accept);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => logger.error({ error }, 'the binary port failed'));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  stop(): void {
    this.#server?.close();
  }

  randomBytes(size: number): Uint8Array {
    return randomBytes(size);
  }

  #open(socket: Socket, accept: (connection: ByteConnection) => ByteSession): void {
    const lean = this.#isLean ? this.#reopenLean(socket) : undefined;
    const connection = new TcpConnection(lean?.socket ?? socket, lean !== undefined);
    const session = accept(connection);
    connection.start(session);
    if (lean === undefined) {
      socket.on('data', (chunk) => {
        // A `Buffer` would share its memory with its slices.
        const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
        session.received(bytes, 0, bytes.length);
      });
    } else lean.begin(session);
    connection.socket.resume();
  }

  /** The same connection with a socket that reads into the shared buffer. */
  #reopenLean(
    accepted: Socket,
  ): { readonly socket: Socket; begin(session: ByteSession): void } | undefined {
    const inside = accepted as unknown as SocketInside;
    const handle = inside._handle;
    if (typeof handle?.fd !== 'number' || handle.fd < 0) return undefined;
    let session: ByteSession | undefined;
    const onread = {
      buffer: this.#buffer,
      callback: (count: number): boolean => {
        session?.received(this.#buffer, 0, count);
        return true;
      },
    };
    inside._handle = null;
    const options: SocketConstructorOpts = { onread };
    const socket = new Socket(Object.assign(options, { handle }));
    return {
      socket,
      begin: (begun) => {
        session = begun;
      },
    };
  }
}

class TcpConnection implements ByteConnection {
  readonly socket: Socket;
  readonly peer: string;
  readonly #fd: number;
  #session: ByteSession | undefined;
  #isWaking = false;

  constructor(socket: Socket, isLean: boolean) {
    this.socket = socket;
    this.peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.#fd = isLean ? ((socket as unknown as SocketInside)._handle?.fd ?? -1) : -1;
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  start(session: ByteSession): void {
    this.#session = session;
    // The end of a connection says what matters; why it broke does not.
    this.socket.on('error', () => undefined);
    this.socket.on('drain', () => session.drained());
    this.socket.on('close', () => session.closed());
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    const sent = this.#canWriteNow() ? this.#writeNow(bytes, start, end) : 0;
    if (start + sent < end && !this.socket.destroyed) {
      // The stream writes later, when the caller has other bytes in its buffer.
      this.socket.write(bytes.slice(start + sent, end));
    }
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  wakeSoon(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#session?.wake();
    });
  }

  end(): void {
    this.socket.end();
    // A peer that never closes its side would keep the connection for ever.
    const timer = setTimeout(() => this.socket.destroy(), END_MS).unref();
    this.socket.once('close', () => {
      clearTimeout(timer);
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  /**
   * Only while nothing waits in the stream, which would be overtaken; and only while the handle is open: a closed
   * descriptor's number may belong to somebody else by now.
   */
  #canWriteNow(): boolean {
    const { socket } = this;
    return (
      this.#fd >= 0 &&
      socket.writableLength === 0 &&
      !socket.writableEnded &&
      (socket as unknown as SocketInside)._handle !== null
    );
  }

  #writeNow(bytes: Uint8Array, start: number, end: number): number {
    try {
      return writeSync(this.#fd, bytes, start, end - start);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.socket.destroy();
      return 0;
    }
  }
}
