/** Everything a client can ask besides rows: who it is, what works, functions, events, transactions. */
import { ClusterError } from '../../core/errors.ts';
import { call16Result, callResult } from '../../core/iproto/call-result.ts';
import { describeCallError } from '../../core/iproto/describe-error.ts';
import { errorNumber } from '../../core/iproto/error-numbers.ts';
import { SCRAMBLE_SIZE } from '../../core/iproto/greeting.ts';
import {
  feature,
  features,
  key,
  protocolVersion,
  requestType,
} from '../../core/iproto/protocol.ts';
import { eventHead, type ReplyHead } from '../../core/iproto/reply.ts';
import { type IprotoRequest, rawContent } from '../../core/iproto/request.ts';
import { MsgpackReader } from '../../core/msgpack/decode.ts';
import { skip } from '../../core/msgpack/skip.ts';
import type { Value } from '../../core/schema/values.ts';
import { boxInfo, statusKeys } from './box-info.ts';
import { accessDenied } from './data-requests.ts';
import type { Watcher } from './events.ts';
import type { IprotoContext } from './iproto-context.ts';
import type { SessionReplies } from './session-replies.ts';
import type { Stream } from './streams.ts';

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(requestType).map(([name, type]) => [type, name]),
);

const inStreams: ReadonlySet<number> = new Set([
  requestType.CALL,
  requestType.CALL_16,
  requestType.BEGIN,
  requestType.COMMIT,
  requestType.ROLLBACK,
  requestType.NOP,
]);

export class SessionRequests implements Watcher {
  readonly #context: IprotoContext;
  readonly #session: SessionReplies;
  readonly #reader = new MsgpackReader(new Uint8Array(1));
  readonly #watched = new Set<string>();

  constructor(context: IprotoContext, session: SessionReplies) {
    this.#context = context;
    this.#session = session;
  }

  get isShutdownWatched(): boolean {
    return this.#watched.has(statusKeys.shutdown);
  }

  /** Throws `ClusterError` where the answer is an error. */
  execute(request: IprotoRequest): void {
    if (request.streamId !== 0 && !inStreams.has(request.type)) {
      throw misplaced(request, 'in stream', errorNumber.UNABLE_TO_PROCESS_IN_STREAM);
    }
    switch (request.type) {
      case requestType.CALL:
      case requestType.CALL_16:
        return this.#call(request);
      case requestType.AUTH:
        return this.#authenticate(request);
      case requestType.ID:
        return this.#identify(request);
      case requestType.NOP:
        return this.#session.ok(request);
      case requestType.BEGIN:
      case requestType.COMMIT:
      case requestType.ROLLBACK:
        return this.#transact(request);
      default:
        return this.#watch(request);
    }
  }

  told(name: string, value: Value | undefined): void {
    const body: [number, Value][] = [[key.EVENT_KEY, name]];
    if (value !== undefined) body.push([key.EVENT_DATA, value]);
    this.#session.body(eventHead, body);
  }

  close(): void {
    for (const name of this.#watched) this.#context.events.unwatch(name, this);
    this.#watched.clear();
  }

  #authenticate(request: IprotoRequest): void {
    const user = this.#text(request, request.userAt);
    if (!this.#isProven(request, user)) {
      throw new ClusterError('UNAUTHORIZED', {
        message: 'User not found or supplied credentials are invalid',
        protocolNumber: errorNumber.PASSWORD_MISMATCH,
      });
    }
    this.#session.user = user;
    this.#session.ok(request);
  }

  #isProven({ bytes, tupleAt }: IprotoRequest, user: string): boolean {
    this.#reader.reset(bytes, tupleAt);
    const count = this.#reader.arrayHeader();
    // A guest has no password: connectors prove an empty one, or nothing.
    if (count === 0) return user === 'guest';
    const method = this.#reader.value();
    if (method !== 'chap-sha1') {
      throw new ClusterError('NOT_SUPPORTED', {
        message: `Tonearm does not support the authentication method ${JSON.stringify(method)}.`,
      });
    }
    const at = this.#reader.position;
    const scramble = count < 2 ? undefined : rawContent(bytes, at, skip(bytes, at));
    if (scramble?.length !== SCRAMBLE_SIZE) return false;
    return this.#context.users.authenticate(user, this.#session.salt, scramble);
  }

  #identify(request: IprotoRequest): void {
    if (request.featuresAt >= 0) {
      const wanted = this.#value(request, request.featuresAt) as readonly Value[];
      this.#session.hasStack = wanted.includes(feature.ERROR_EXTENSION);
    }
    this.#session.body(request, [
      [key.VERSION, protocolVersion],
      [key.FEATURES, features],
      [key.AUTH_TYPE, 'chap-sha1'],
    ]);
  }

  #call(request: IprotoRequest): void {
    const { users, instance, storage } = this.#context;
    const { user } = this.#session;
    const name = this.#text(request, request.functionAt);
    if (name === 'box.info') {
      this.#session.values(request, [boxInfo(instance, storage)]);
      return;
    }
    if (!users.mayCall(user)) throw accessDenied('Execute', `function '${name}'`, user);
    const stream = request.streamId === 0 ? undefined : request.streamId;
    if (stream !== undefined && this.#session.streams.find(stream)?.transaction !== undefined) {
      throw new ClusterError('NOT_SUPPORTED', {
        message: 'A transaction of a stream does not support CALL: its function could not see it.',
      });
    }
    const args =
      request.tupleAt < 0 ? [] : (this.#value(request, request.tupleAt) as readonly Value[]);
    const { syncHigh, syncLow, type } = request;
    const busy = stream === undefined ? undefined : this.#session.streams.occupy(stream);
    void this.#run({ syncHigh, syncLow, type, name, args, busy });
  }

  async #run(call: RunningCall): Promise<void> {
    const { user } = this.#session;
    this.#session.callBegan();
    let answer: () => void;
    try {
      const result = await this.#context.call(call.name, call.args, { user });
      const values = call.type === requestType.CALL ? callResult(result) : call16Result(result);
      answer = () => this.#session.values(call, values);
    } catch (error) {
      answer = () => this.#session.error(call, describeCallError(error));
    }
    this.#session.callEnded(() => {
      this.#answer(call, answer);
    });
  }

  #answer(call: RunningCall, answer: () => void): void {
    try {
      answer();
    } catch (error) {
      this.#session.refuse(call, error);
    }
    const { busy } = call;
    if (busy === undefined) return;
    this.#session.streams.release(busy, (frame) => this.#session.executeLater(frame));
  }

  #transact(request: IprotoRequest): void {
    if (request.streamId === 0) {
      throw misplaced(request, 'out of stream', errorNumber.UNABLE_TO_PROCESS_OUT_OF_STREAM);
    }
    const { streams, user } = this.#session;
    if (request.type === requestType.BEGIN) {
      streams.begin(request, user);
      return this.#session.ok(request);
    }
    const transaction = streams.end(request.streamId);
    if (request.type === requestType.ROLLBACK || transaction === undefined) {
      return this.#session.ok(request);
    }
    let number: number;
    try {
      number = transaction.commit();
    } catch (error) {
      return this.#session.refuse(request, error, transaction.unacknowledged());
    }
    this.#session.okWhen(number, request);
  }

  #watch(request: IprotoRequest): void {
    const { events, limits } = this.#context;
    const { type } = request;
    if (
      type !== requestType.WATCH &&
      type !== requestType.UNWATCH &&
      type !== requestType.WATCH_ONCE
    ) {
      throw new ClusterError('REQUEST_INVALID', {
        message: `Unknown request type ${type}`,
        protocolNumber: errorNumber.UNKNOWN_REQUEST_TYPE,
      });
    }
    const name = this.#text(request, request.eventKeyAt);
    if (type === requestType.WATCH_ONCE) {
      const value = events.value(name);
      return this.#session.values(request, value === undefined ? [] : [value]);
    }
    if (type === requestType.UNWATCH) {
      this.#watched.delete(name);
      return events.unwatch(name, this);
    }
    if (!this.#watched.has(name) && this.#watched.size >= limits.watchedKeys) {
      throw new ClusterError('REQUEST_INVALID', {
        message: `A connection watches at most ${limits.watchedKeys} keys.`,
      });
    }
    this.#watched.add(name);
    events.watch(name, this);
  }

  #text(request: IprotoRequest, at: number): string {
    return this.#value(request, at) as string;
  }

  #value(request: IprotoRequest, at: number): Value {
    this.#reader.reset(request.bytes, at);
    return this.#reader.value();
  }
}

interface RunningCall extends ReplyHead {
  readonly type: number;
  readonly name: string;
  readonly args: readonly Value[];
  readonly busy: Stream | undefined;
}

function misplaced(
  { type }: IprotoRequest,
  where: string,
  protocolNumber: NonNullable<ClusterError['protocolNumber']>,
): ClusterError {
  return new ClusterError('REQUEST_INVALID', {
    message: `Unable to process ${names.get(type) ?? type} request ${where}`,
    protocolNumber,
  });
}
