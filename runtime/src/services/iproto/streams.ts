/**
 * Streams of one connection: requests of a stream are executed one after another, and may make a transaction.
 *
 * Only a CALL takes longer than the tick it came in: while one of a stream is under way, further requests of that
 * stream wait as copies. A transaction that is not ended in time is rolled back, and its next request is told.
 */
import { ClusterError } from '../../core/errors.ts';
import { errorNumber } from '../../core/iproto/error-numbers.ts';
import type { IprotoRequest } from '../../core/iproto/request.ts';
import { MsgpackReader } from '../../core/msgpack/decode.ts';
import type { IprotoContext } from './iproto-context.ts';
import { StreamTransaction } from './stream-transaction.ts';

export interface Stream {
  readonly id: number;
  /** A CALL of it is under way. */
  isBusy: boolean;
  /** Frames that wait for the CALL. */
  readonly queue: Uint8Array[];
  transaction: StreamTransaction | undefined;
  /** Ends the wait for the transaction's timeout. */
  ended: AbortController | undefined;
}

export class Streams {
  readonly #context: IprotoContext;
  readonly #streams = new Map<number, Stream>();
  #openTransactions = 0;
  #queued = 0;

  constructor(context: IprotoContext) {
    this.#context = context;
  }

  /** Requests that wait for a CALL of their stream. */
  get queued(): number {
    return this.#queued;
  }

  find(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  /** The stream is busy until `release`. */
  occupy(id: number): Stream {
    let stream = this.#streams.get(id);
    if (stream === undefined) {
      stream = { id, isBusy: false, queue: [], transaction: undefined, ended: undefined };
      this.#streams.set(id, stream);
    }
    stream.isBusy = true;
    return stream;
  }

  enqueue(stream: Stream, frame: Uint8Array): void {
    stream.queue.push(frame);
    this.#queued += 1;
  }

  /** Executes what has waited, until another CALL makes the stream busy. */
  release(stream: Stream, execute: (frame: Uint8Array) => void): void {
    stream.isBusy = false;
    while (!this.#isBusy(stream)) {
      const frame = stream.queue.shift();
      if (frame === undefined) break;
      this.#queued -= 1;
      execute(frame);
    }
    this.#forgetIfIdle(stream);
  }

  begin(request: IprotoRequest, user: string): void {
    const { limits, storage, data, clock } = this.#context;
    const timeoutMs = this.#timeoutMs(request);
    if (this.#streams.get(request.streamId)?.transaction !== undefined) {
      throw new ClusterError('REQUEST_INVALID', {
        message: 'Operation is not permitted when there is an active transaction ',
        protocolNumber: errorNumber.ACTIVE_TRANSACTION,
      });
    }
    if (this.#openTransactions >= limits.transactionsPerConnection) {
      throw new ClusterError('REQUEST_INVALID', {
        message: `A connection has at most ${limits.transactionsPerConnection} open transactions.`,
      });
    }
    const stream = this.occupy(request.streamId);
    stream.isBusy = false;
    const transaction = new StreamTransaction({ storage, data, limits, user });
    const ended = new AbortController();
    stream.transaction = transaction;
    stream.ended = ended;
    this.#openTransactions += 1;
    clock.sleep(timeoutMs, ended.signal).then(
      () => transaction.abort(timedOut()),
      () => undefined,
    );
  }

  /** Takes the transaction out, whatever becomes of it. */
  end(id: number): StreamTransaction | undefined {
    const stream = this.#streams.get(id);
    const transaction = stream?.transaction;
    if (stream === undefined || transaction === undefined) return undefined;
    stream.ended?.abort();
    stream.transaction = undefined;
    stream.ended = undefined;
    this.#openTransactions -= 1;
    this.#forgetIfIdle(stream);
    return transaction;
  }

  /** The connection is gone. */
  close(): void {
    for (const stream of this.#streams.values()) {
      stream.ended?.abort();
      stream.queue.length = 0;
    }
    this.#streams.clear();
    this.#queued = 0;
  }

  #isBusy(stream: Stream): boolean {
    return stream.isBusy;
  }

  #forgetIfIdle(stream: Stream): void {
    const isIdle = !stream.isBusy && stream.queue.length === 0 && stream.transaction === undefined;
    if (isIdle) this.#streams.delete(stream.id);
  }

  #timeoutMs(request: IprotoRequest): number {
    if (request.timeoutAt < 0) return this.#context.limits.transactionTimeoutMs;
    const seconds = new MsgpackReader(request.bytes, request.timeoutAt).value();
    if (typeof seconds === 'number' && seconds > 0) return Math.min(seconds * 1000, LONGEST_MS);
    throw new ClusterError('REQUEST_INVALID', {
      field: 'timeout',
      message: 'timeout must be a number greater than 0',
    });
  }
}

/** What a timer can hold. */
const LONGEST_MS = 2 ** 31 - 1;

function timedOut(): ClusterError {
  return new ClusterError('TRANSACTION_CONFLICT', {
    message: 'Transaction has been aborted by timeout',
    protocolNumber: errorNumber.TRANSACTION_TIMEOUT,
  });
}
