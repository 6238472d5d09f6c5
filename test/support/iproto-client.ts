/**
 * A client of the binary protocol that sends without waiting: as many requests are under way as its caller likes.
 *
 * What is not answered when the connection ends is never answered: its outcome is open.
 */
import { connect, type Socket } from 'node:net';
import { chapSha1, fromBase64, GREETING_SIZE } from '../../runtime/src/core/iproto/greeting.ts';
import { ERROR_FLAG, key, requestType } from '../../runtime/src/core/iproto/protocol.ts';
import { frameLength, lengthSize } from '../../runtime/src/core/iproto/request.ts';
import { MsgpackReader } from '../../runtime/src/core/msgpack/decode.ts';
import type { Value } from '../../runtime/src/core/schema/values.ts';
import { type Fields, requestFrame } from '../../runtime/src/testing/iproto-frames.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface IprotoReply {
  /** 0, or Tarantool's number of the error. */
  readonly error: number;
  /** Of an error. */
  readonly message: string;
  /** Decoded when it is asked for. */
  data(): readonly Value[];
}

export type OnReply = (reply: IprotoReply) => void;

const SALT_AT = 64;
const SALT_TEXT = 44;

export class IprotoClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, OnReply>();
  /** Resolves when the connection has ended, from either side. */
  readonly ended: Promise<void>;
  #sync = 0;
  #out: Uint8Array[] = [];
  #in = new Uint8Array();
  #isOpen = true;

  private constructor(socket: Socket, rest: Uint8Array) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isOpen = false;
        resolve();
      });
    });
    socket.on('data', (chunk: Uint8Array) => this.#received(chunk));
    if (rest.length > 0) this.#received(rest);
  }

  static async connect(port: number, login: Login, timeoutMs = 5000): Promise<IprotoClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    // What went wrong is seen by the end of the connection.
    socket.on('error', () => undefined);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    try {
      const bytes = await readGreeting(socket);
      const client = new IprotoClient(socket, bytes.subarray(GREETING_SIZE));
      const text = Buffer.from(bytes.subarray(SALT_AT, SALT_AT + SALT_TEXT)).toString('latin1');
      const salt = fromBase64(text.trim());
      if (salt === undefined) throw new Error(`port ${port} sends a greeting without a salt`);
      const scramble = chapSha1(login.password, salt);
      await client.request(requestType.AUTH, [
        [key.USER_NAME, login.user],
        [key.TUPLE, ['chap-sha1', scramble]],
      ]);
      return client;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Requests without an answer. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  /** Goes out with all others of this tick in one write. */
  send(type: number, body: Fields, onReply: OnReply, stream = 0): void {
    if (!this.#isOpen) return;
    const sync = ++this.#sync;
    const more: Fields = stream === 0 ? [] : [[key.STREAM_ID, stream]];
    this.#waiting.set(sync, onReply);
    this.#out.push(requestFrame(type, sync, body, more));
    if (this.#out.length === 1) setImmediate(() => this.#flush());
  }

  /** Rejects with the error of the reply, and when there is none. */
  async request(type: number, body: Fields): Promise<readonly Value[]> {
    const reply = await Promise.race([
      new Promise<IprotoReply>((resolve) => this.send(type, body, resolve)),
      this.ended.then(() => undefined),
    ]);
    if (reply === undefined) throw new Error('the connection has ended without an answer');
    if (reply.error !== 0) throw new Error(`error ${reply.error}: ${reply.message}`);
    return reply.data();
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #flush(): void {
    const out = this.#out;
    this.#out = [];
    if (this.#isOpen) this.#socket.write(Buffer.concat(out));
  }

  #received(chunk: Uint8Array): void {
    const bytes = this.#in.length === 0 ? chunk : Buffer.concat([this.#in, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const length = frameLength(bytes, at, bytes.length);
      if (length < 0) break;
      const begin = at + lengthSize(bytes[at] ?? 0);
      if (begin + length > bytes.length) break;
      at = begin + length;
      this.#reply(bytes.subarray(begin, at));
    }
    this.#in = bytes.slice(at);
  }

  #reply(frame: Uint8Array): void {
    const reader = new MsgpackReader(frame);
    const header = reader.value() as Record<string, number>;
    const bodyAt = reader.position;
    const sync = header[key.SYNC] ?? 0;
    const onReply = this.#waiting.get(sync);
    this.#waiting.delete(sync);
    const body = (): Record<string, Value> => {
      const value = bodyAt < frame.length ? new MsgpackReader(frame, bodyAt).value() : {};
      return value as Record<string, Value>;
    };
    const code = header[key.REQUEST_TYPE] ?? 0;
    const isError = (code & ERROR_FLAG) !== 0;
    onReply?.({
      error: isError ? code & ~ERROR_FLAG : 0,
      message: isError ? (body()[key.ERROR_24] as string) : '',
      data: () => (body()[key.DATA] ?? []) as readonly Value[],
    });
  }
}

async function readGreeting(socket: Socket): Promise<Uint8Array> {
  let bytes = new Uint8Array();
  while (bytes.length < GREETING_SIZE) {
    const chunk = await new Promise<Uint8Array | undefined>((resolve) => {
      socket.once('data', resolve);
      socket.once('close', () => resolve(undefined));
    });
    if (chunk === undefined) throw new Error('there is no greeting');
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes;
}
