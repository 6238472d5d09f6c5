/**
 * A transaction of a stream, which lasts from BEGIN to COMMIT over many ticks, on a storage whose transactions live
 * within one tick.
 *
 * Nothing is kept in the storage between requests: each statement is executed on top of all earlier ones and then
 * rolled back, and what it answered is remembered. COMMIT executes all of them again, within one tick, and stands
 * only if every one answers what the client was told. So whatever was committed meanwhile, the transaction is as if
 * it had happened as a whole at its COMMIT.
 */
import { ClusterError } from '../../core/errors.ts';
import { requestType } from '../../core/iproto/protocol.ts';
import { ReplyWriter } from '../../core/iproto/reply.ts';
import { IprotoRequest } from '../../core/iproto/request.ts';
import { MsgpackWriter } from '../../core/msgpack/encode.ts';
import { later } from '../../core/replication/awaited-row.ts';
import type { IprotoStorage } from '../../ports/iproto-storage.ts';
import type { DataRequests } from './data-requests.ts';
import type { IprotoLimits } from './iproto-context.ts';

interface Statement {
  /** Header and body, without the length. */
  readonly frame: Uint8Array;
  readonly answer: Uint8Array;
}

export interface TransactionOptions {
  readonly storage: IprotoStorage;
  readonly data: DataRequests;
  readonly limits: IprotoLimits;
  readonly user: string;
}

/** Refusals that tell nothing of the rows: they are the answer, not a conflict. */
const OF_INSTANCE: ReadonlySet<string> = new Set([
  'NO_LEADER',
  'NOT_LEADER',
  'STALE_TERM',
  'OUTCOME_UNKNOWN',
  'STORAGE_FAILED',
  'STATE_FORBIDS',
  'NOT_READY',
  'MEMORY_FULL',
]);

const NOBODY = { syncHigh: 0, syncLow: 0 };

export class StreamTransaction {
  readonly #options: TransactionOptions;
  readonly #request = new IprotoRequest();
  readonly #reply: ReplyWriter;
  readonly #scratch = new MsgpackWriter();
  readonly #spaces = new Set<number>();
  #statements: Statement[] = [];
  #byteLength = 0;
  #writes = 0;
  #failure: ClusterError | undefined;

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.#reply = new ReplyWriter(options.limits.replyBytes);
  }

  /** Ends it for good: only what ends the transaction is accepted after it. */
  abort(error: ClusterError): void {
    this.#failure ??= error;
    this.#statements = [];
  }

  /**
   * Executes one statement, whose reply `reply` has begun. `frame` is copied. The number of the row that the reply
   * waits for: nothing of what the transaction itself has written is in the log.
   */
  execute(request: IprotoRequest, reply: ReplyWriter, frame: Uint8Array): number {
    this.#demandUsable();
    const { storage, data, user } = this.#options;
    storage.begin();
    try {
      this.#replay();
      const number = data.run(request, reply, user);
      reply.close();
      this.#remember({ frame: frame.slice(), answer: reply.data() });
      if (request.type !== requestType.SELECT) this.#writes += 1;
      return number;
    } finally {
      this.#spaces.add(request.space);
      storage.rollback();
    }
  }

  /** The number of the row that the reply waits for. */
  commit(): number {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#statements.length === 0) return 0;
    const { storage } = this.#options;
    storage.begin();
    try {
      this.#replay();
    } catch (error) {
      storage.rollback();
      throw error;
    }
    return storage.commit();
  }

  /** The newest row, of all spaces of its statements, that must be waited for; 0 when none must. */
  unacknowledged(): number {
    const { storage } = this.#options;
    return [...this.#spaces].map((space) => storage.unacknowledged(space)).reduce(later, 0);
  }

  #demandUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { statementsPerTransaction } = this.#options.limits;
    if (this.#statements.length < statementsPerTransaction) return;
    throw new ClusterError('REQUEST_INVALID', {
      message: `A transaction has at most ${statementsPerTransaction} statements.`,
    });
  }

  #remember(statement: Statement): void {
    const { requestBytes } = this.#options.limits;
    const byteLength = this.#byteLength + statement.frame.length + statement.answer.length;
    if (byteLength > requestBytes) {
      throw new ClusterError('REQUEST_INVALID', {
        message: `Statements and answers of a transaction have at most ${requestBytes} bytes.`,
      });
    }
    this.#statements.push(statement);
    this.#byteLength = byteLength;
  }

  #replay(): void {
    for (const statement of this.#statements) {
      if (this.#answersAsBefore(statement)) continue;
      const conflict = new ClusterError('TRANSACTION_CONFLICT', {
        message: 'Transaction has been aborted by conflict',
      });
      this.abort(conflict);
      throw conflict;
    }
  }

  #answersAsBefore({ frame, answer }: Statement): boolean {
    const { data, user } = this.#options;
    this.#request.read(frame, 0, frame.length);
    this.#scratch.length = 0;
    this.#reply.open(this.#scratch, NOBODY, 0);
    try {
      data.run(this.#request, this.#reply, user);
    } catch (error) {
      if (!(error instanceof ClusterError) || OF_INSTANCE.has(error.code)) throw error;
      return false;
    }
    this.#reply.close();
    return areEqual(this.#reply.data(), answer);
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
