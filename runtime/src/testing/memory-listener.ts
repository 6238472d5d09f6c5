/** Connections without sockets: what is sent is kept, what is received is given by the test. */
import type { ByteConnection, ByteListener, ByteSession } from '../core/iproto/connection.ts';
import { GREETING_SIZE } from '../core/iproto/greeting.ts';
import { type ReceivedReply, readReplies } from './iproto-frames.ts';

export class MemoryListener implements ByteListener {
  isStopped = false;
  #accept: ((connection: ByteConnection) => ByteSession) | undefined;

  listen(accept: (connection: ByteConnection) => ByteSession): Promise<number> {
    this.#accept = accept;
    return Promise.resolve(1);
  }

  stop(): void {
    this.isStopped = true;
  }

  randomBytes(size: number): Uint8Array {
    return new Uint8Array(size).fill(7);
  }

  connect(): MemoryConnection {
    const connection = new MemoryConnection();
    const session = this.#accept?.(connection);
    if (session !== undefined) connection.begin(session);
    return connection;
  }
}

export class MemoryConnection implements ByteConnection {
  readonly peer = 'test';
  /** As if the peer's host took no more. */
  unsentBytes = 0;
  isPaused = false;
  isClosed = false;
  /** How often something was sent, the greeting left out. */
  writes = -1;
  #session: ByteSession | undefined;
  #sent: number[] = [];
  #wakes = false;

  begin(session: ByteSession): void {
    this.#session = session;
    if (this.isClosed) session.closed();
  }

  /** Gives bytes to the server; they are overwritten behind it, as a shared buffer is. */
  give(...parts: readonly Uint8Array[]): void {
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    this.#session?.received(bytes, 0, bytes.length);
    bytes.fill(0xc1);
  }

  /** Takes what was sent. */
  take(): readonly ReceivedReply[] {
    const bytes = Uint8Array.from(this.#sent);
    this.#sent = [];
    const greeted = bytes[0] === 'T'.charCodeAt(0) ? GREETING_SIZE : 0;
    return readReplies(bytes.subarray(greeted));
  }

  /** Lets what asked to be woken run. */
  turn(): void {
    while (this.#wakes) {
      this.#wakes = false;
      this.#session?.wake();
    }
  }

  drain(): void {
    this.unsentBytes = 0;
    this.#session?.drained();
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    this.writes += 1;
    for (let at = start; at < end; at++) this.#sent.push(bytes[at] ?? 0);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  wakeSoon(): void {
    this.#wakes = true;
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#session?.closed();
  }
}
