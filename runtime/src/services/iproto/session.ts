/**
 * One connection: its requests in, its replies out.
 *
 * Requests are executed in the order in which they come; replies leave when they may, named by the client's number.
 * All that one read brought is answered with one write. When too much is under way or unsent, no more is read.
 */
import { ClusterError } from '../../core/errors.ts';
import type { ByteConnection, ByteSession } from '../../core/iproto/connection.ts';
import { describeError, type ProtocolError } from '../../core/iproto/describe-error.ts';
import { errorNumber } from '../../core/iproto/error-numbers.ts';
import { HeldReplyQueues } from '../../core/iproto/held-replies.ts';
import { missingField } from '../../core/iproto/missing-field.ts';
import { requestType, unsupportedTypes } from '../../core/iproto/protocol.ts';
import {
  headOf,
  type ReplyHead,
  ReplyWriter,
  writeBody,
  writeError,
  writeOk,
} from '../../core/iproto/reply.ts';
import { frameLength, IprotoRequest, lengthSize } from '../../core/iproto/request.ts';
import { MsgpackWriter } from '../../core/msgpack/encode.ts';
import type { Value } from '../../core/schema/values.ts';
import { FrameAssembler } from './frame-assembler.ts';
import type { IprotoContext, SessionHandle } from './iproto-context.ts';
import type { SessionReplies } from './session-replies.ts';
import { SessionRequests } from './session-requests.ts';
import { Streams } from './streams.ts';

const FIRST_OUTPUT = 4096;
/** So much is sent before the rest of what was read is executed. */
const FLUSH_AT = 256 * 1024;
const LARGEST_KEPT = 1024 * 1024;

export class IprotoSession implements ByteSession, SessionHandle, SessionReplies {
  user = 'guest';
  hasStack = false;
  readonly salt: Uint8Array;
  readonly streams: Streams;
  readonly #context: IprotoContext;
  readonly #connection: ByteConnection;
  readonly #requests: SessionRequests;
  readonly #request = new IprotoRequest();
  readonly #reply: ReplyWriter;
  readonly #held = new HeldReplyQueues();
  readonly #rest = new FrameAssembler();
  #out = new MsgpackWriter(FIRST_OUTPUT);
  #calls = 0;
  #isWorking = false;
  #isStalled = false;
  #isEnding = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(context: IprotoContext, connection: ByteConnection, salt: Uint8Array) {
    this.#context = context;
    this.#connection = connection;
    this.salt = salt;
    this.#reply = new ReplyWriter(context.limits.replyBytes);
    this.streams = new Streams(context);
    this.#requests = new SessionRequests(context, this);
  }

  get requestsInFlight(): number {
    return this.#held.count + this.#calls + this.streams.queued;
  }

  get isShutdownWatched(): boolean {
    return this.#requests.isShutdownWatched;
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isEnding || this.#isClosed) return;
    if (this.#isStalled) {
      this.#rest.append(bytes, start, end);
      return;
    }
    this.#work(() => {
      let at = start;
      if (this.#rest.length > 0) {
        at = this.#rest.complete(bytes, start, end);
        this.#rest.drop(this.#executeFrames(this.#rest.bytes, 0, this.#rest.length));
      }
      if (this.#rest.length === 0 && !this.#isStalled) at = this.#executeFrames(bytes, at, end);
      if (at < end && !this.#isEnding) this.#rest.append(bytes, at, end);
    });
  }

  drained(): void {
    this.wake();
  }

  /** Sends what has gathered; goes on where it had stalled. */
  wake(): void {
    if (this.#isClosed) return;
    this.#work(() => {
      if (!this.#isStalled || !this.#mayGoOn()) return;
      this.#isStalled = false;
      this.#rest.drop(this.#executeFrames(this.#rest.bytes, 0, this.#rest.length));
      if (!this.#hasStalled()) this.#connection.resume();
    });
  }

  closed(): void {
    this.#isClosed = true;
    this.#requests.close();
    this.streams.close();
    this.#rest.clear();
    this.#context.waiting.delete(this);
    this.#context.forget(this);
  }

  settle(acknowledged: number, logged: number): void {
    this.#held.settle(acknowledged, logged, this.#out);
    this.#afterHeld();
  }

  fail(upTo: number, error: { readonly write: ProtocolError; readonly read: ProtocolError }): void {
    this.#held.fail(upTo, (bytes, start, isWrite) => {
      this.error(headOf(bytes, start), isWrite ? error.write : error.read);
    });
    this.#afterHeld();
  }

  /** No further requests; closes when those under way are answered. */
  end(): void {
    this.#isEnding = true;
    this.#endWhenIdle();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  ok(head: ReplyHead): void {
    writeOk(this.#out, head, this.#context.storage.schemaVersion);
  }

  body(
    head: ReplyHead & { readonly type?: number },
    body: readonly (readonly [number, Value])[],
  ): void {
    writeBody(this.#out, head, this.#context.storage.schemaVersion, body);
    this.#flushSoon();
  }

  values(head: ReplyHead, values: readonly Value[]): void {
    this.#reply.open(this.#out, head, this.#context.storage.schemaVersion);
    for (const value of values) this.#reply.value(value);
    this.#reply.close();
  }

  error(head: ReplyHead, error: ProtocolError, after = 0): void {
    this.#context.counters.errors += 1;
    const { schemaVersion } = this.#context.storage;
    const { syncHigh, syncLow } = head;
    const out = after === 0 ? this.#out : this.#held.writer;
    writeError(out, { syncHigh, syncLow, schemaVersion, hasStack: this.hasStack }, error);
    if (after !== 0) this.#hold(after, false);
  }

  refuse(head: ReplyHead, error: unknown, after = 0): void {
    if (!(error instanceof ClusterError)) {
      this.#context.logger.error({ error }, 'a request of a client failed unexpectedly');
    }
    this.error(head, describeError(error), after);
  }

  okWhen(number: number, head: ReplyHead): void {
    if (number === 0) {
      this.ok(head);
      return;
    }
    writeOk(this.#held.writer, head, this.#context.storage.schemaVersion);
    this.#hold(number, true);
  }

  callBegan(): void {
    this.#calls += 1;
  }

  callEnded(answer: () => void): void {
    this.#calls -= 1;
    if (this.#isClosed) return;
    answer();
    this.#connection.wakeSoon();
  }

  executeLater(frame: Uint8Array): void {
    this.#context.enter();
    this.#execute(frame, 0, frame.length);
    this.#context.leave();
  }

  #work(work: () => void): void {
    this.#isWorking = true;
    this.#context.enter();
    work();
    this.#context.leave();
    this.#isWorking = false;
    this.#flush();
    if (!this.#isStalled && this.#mustStall()) this.#stall();
    this.#endWhenIdle();
  }

  /** Where the bytes that are not executed begin. */
  #executeFrames(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.#isStalled && !this.#isEnding) {
      const length = frameLength(bytes, at, end);
      if (length === -1) break;
      if (length < 0 || length > this.#context.limits.requestBytes) {
        this.#refuseFrame(length);
        break;
      }
      const frame = at + lengthSize(bytes[at] as number);
      if (frame + length > end) break;
      this.#execute(bytes, frame, frame + length);
      at = frame + length;
      if (this.#out.length > FLUSH_AT) this.#flush();
      if (this.#mustStall()) this.#stall();
    }
    return at;
  }

  #execute(bytes: Uint8Array, start: number, end: number): void {
    const request = this.#request;
    const { storage, counters } = this.#context;
    counters.requests += 1;
    const fault = request.read(bytes, start, end);
    if (fault !== undefined) {
      const message = `Invalid MsgPack - ${fault}`;
      const number = errorNumber.INVALID_MSGPACK;
      this.error(request, { number, message, code: 'REQUEST_INVALID' });
      return;
    }
    try {
      if (request.isWhole) {
        this.#executeData(request, start, end);
        return;
      }
      if (request.type === requestType.PING && request.streamId === 0) {
        writeOk(this.#out, request, storage.schemaVersion);
        return;
      }
      if (request.streamId !== 0 && this.#waitsForStream(bytes, start, end)) return;
      this.#demandValid(request);
      if (isData(request.type)) this.#executeData(request, start, end);
      else this.#requests.execute(request);
    } catch (error) {
      this.refuse(request, error);
    }
  }

  #waitsForStream(bytes: Uint8Array, start: number, end: number): boolean {
    const stream = this.streams.find(this.#request.streamId);
    if (stream?.isBusy !== true) return false;
    this.streams.enqueue(stream, bytes.slice(start, end));
    return true;
  }

  #demandValid(request: IprotoRequest): void {
    const { schemaVersion } = this.#context.storage;
    if (request.schemaVersion !== 0 && request.schemaVersion !== schemaVersion) {
      throw new ClusterError('REQUEST_INVALID', {
        message:
          `Wrong schema version, current: ${schemaVersion}, ` +
          `in request: ${request.schemaVersion}`,
        protocolNumber: errorNumber.WRONG_SCHEMA_VERSION,
      });
    }
    const missing = missingField(request);
    if (missing !== undefined) {
      throw new ClusterError('REQUEST_INVALID', {
        field: missing,
        message: `Missing mandatory field '${missing}' in request`,
        protocolNumber: errorNumber.MISSING_REQUEST_FIELD,
      });
    }
    const unsupported = isData(request.type) ? undefined : unsupportedTypes.get(request.type);
    if (unsupported !== undefined) {
      throw new ClusterError('NOT_SUPPORTED', {
        message: `Tonearm does not support ${unsupported}: there is no Lua, SQL or foreign replica.`,
      });
    }
  }

  #executeData(request: IprotoRequest, start: number, end: number): void {
    const { data, storage } = this.#context;
    const isWrite = request.type !== requestType.SELECT;
    // Most writes wait, most reads do not: each is written where it will probably stay.
    const target = isWrite ? this.#held.writer : this.#out;
    const replyAt = target.length;
    const { bytes } = request;
    this.#reply.open(target, request, storage.schemaVersion);
    const transaction =
      request.streamId === 0 ? undefined : this.streams.find(request.streamId)?.transaction;
    let number: number;
    try {
      if (transaction === undefined) {
        number = data.run(request, this.#reply, this.user);
        this.#reply.close();
      } else {
        number = transaction.execute(request, this.#reply, bytes.subarray(start, end));
      }
    } catch (error) {
      this.#reply.abandon();
      // Why it failed may be a row that is not acknowledged: saying so waits as a read of it does.
      const rows = transaction ?? storage;
      this.refuse(request, error, rows.unacknowledged(request.space));
      return;
    }
    if (number !== 0) {
      if (!isWrite) move(this.#out, replyAt, this.#held.writer);
      this.#hold(number, isWrite);
    } else if (isWrite) move(this.#held.writer, replyAt, this.#out);
  }

  #hold(number: number, isWrite: boolean): void {
    this.#held.add(number, isWrite);
    if (this.#held.count === 1) this.#context.waiting.add(this);
  }

  #afterHeld(): void {
    if (this.#held.count === 0) this.#context.waiting.delete(this);
    if (this.#isStalled) this.#connection.wakeSoon();
    if (!this.#isWorking) this.#flush();
    this.#endWhenIdle();
  }

  #refuseFrame(length: number): void {
    const { requestBytes } = this.#context.limits;
    const message =
      length < 0
        ? 'Invalid MsgPack - packet length'
        : `A request has at most ${requestBytes} bytes, not ${length}.`;
    const number = length < 0 ? errorNumber.INVALID_MSGPACK : errorNumber.PROTOCOL;
    this.error({ syncHigh: 0, syncLow: 0 }, { number, message, code: 'REQUEST_INVALID' });
    this.#context.logger.warn({ peer: this.#connection.peer, message }, 'a client was cut off');
    this.#isEnding = true;
  }

  #mustStall(): boolean {
    const { requestsInFlight, outputBytes } = this.#context.limits;
    if (this.requestsInFlight >= requestsInFlight) return true;
    if (this.#held.byteLength > outputBytes) return true;
    return this.#out.length === 0 && this.#connection.unsentBytes > outputBytes;
  }

  #mayGoOn(): boolean {
    const { requestsInFlight, outputBytes } = this.#context.limits;
    return (
      this.requestsInFlight < requestsInFlight &&
      this.#held.byteLength <= outputBytes &&
      this.#connection.unsentBytes <= outputBytes
    );
  }

  #hasStalled(): boolean {
    return this.#isStalled;
  }

  #stall(): void {
    this.#isStalled = true;
    this.#connection.pause();
  }

  #flushSoon(): void {
    if (!this.#isWorking) this.#connection.wakeSoon();
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 0 || this.#isClosed) return;
    this.#connection.send(out.bytes, 0, out.length);
    out.length = 0;
    if (out.bytes.length > LARGEST_KEPT) this.#out = new MsgpackWriter(FIRST_OUTPUT);
  }

  #endWhenIdle(): void {
    if (!this.#isEnding || this.#hasEnded || this.#isWorking || this.requestsInFlight > 0) return;
    this.#flush();
    this.#hasEnded = true;
    this.#connection.end();
  }
}

function isData(type: number): boolean {
  return type <= requestType.DELETE || type === requestType.UPSERT;
}

function move(from: MsgpackWriter, start: number, to: MsgpackWriter): void {
  to.raw(from.bytes, start, from.length);
  from.length = start;
}
