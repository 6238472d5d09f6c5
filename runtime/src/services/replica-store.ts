/**
 * Engine and log together: what is in one is in the other, except for rows that are on their way to the disk.
 *
 * Everything that changes the log or the promise runs in one queue. It begins with appending what is pending, so a
 * promise, a cut or a new term never overtakes a row.
 */
import type { Issue, Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { nextProbe } from '../core/replication/log-matching.ts';
import type { PullAnswer } from '../core/replication/messages.ts';
import { BEFORE_ALL, type TermHistory } from '../core/replication/term-history.ts';
import type { OpenTransaction } from '../core/storage/engine.ts';
import type { Batch } from '../core/storage/log-format.ts';
import { ReferenceEngine } from '../core/storage/reference-engine.ts';
import { RowCodec } from '../core/storage/rows.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import { Exclusive } from './exclusive.ts';
import { LostRows } from './lost-rows.ts';
import { type LogMode, ReplicaLog } from './replica-log.ts';
import { type PromiseRecord, TermPromise } from './term-promise.ts';

export interface ReplicaStoreOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly logMode: LogMode;
  readonly identity: { readonly logIncarnation: number };
  readonly limits: {
    readonly segmentBytes: number;
    readonly recentBytes: number;
  };
  /** Called after own rows have been appended. */
  readonly onAppended: (end: Position) => void;
  readonly fatal: (error: unknown) => void;
}

export class ReplicaStore {
  readonly #options: ReplicaStoreOptions;
  readonly #log: ReplicaLog;
  readonly #promise: TermPromise;
  readonly #lost: LostRows;
  readonly #queue = new Exclusive();
  readonly #rowListeners = new Set<() => void>();
  /** Last row written per space, of those that this process wrote. */
  readonly #newest = new Map<number, number>();
  #engine = new ReferenceEngine();
  #pendingTerm = 0;
  /** The last row in the engine. */
  #applied = 0;
  #isDraining = false;
  #failure: unknown;
  /** What to ask a leader for, where it is not the end of the log. */
  #probe: Position | undefined;
  #knownAcknowledged = BEFORE_ALL;

  constructor(options: ReplicaStoreOptions) {
    const { disk, logMode: mode, limits } = options;
    this.#options = options;
    this.#log = new ReplicaLog({ disk, mode, ...limits });
    this.#promise = new TermPromise(disk);
    this.#lost = new LostRows(disk, new RowCodec());
  }

  get end(): Position {
    return this.#log.end;
  }

  get history(): TermHistory {
    return this.#log.history;
  }

  get promise(): PromiseRecord {
    return this.#promise.record;
  }

  get knownAcknowledged(): Position {
    return this.#knownAcknowledged;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  issues(): readonly Issue[] {
    return this.#lost.issues();
  }

  async open(): Promise<void> {
    const { identity, logger } = this.#options;
    await this.#promise.load();
    await this.#lost.load();
    const sameBoot = this.#promise.record.logIncarnation === identity.logIncarnation;
    const cutBytes = await this.#log.open(sameBoot, (batch) => this.#apply(batch));
    this.#applied = this.end.sequence;
    await this.#promise.save({ logIncarnation: identity.logIncarnation });
    logger.info({ position: this.end, cutBytes }, 'the log has been read');
  }

  async close(): Promise<void> {
    if (!this.hasFailed) await this.drained();
  }

  begin(): OpenTransaction {
    if (this.hasFailed) throw new ClusterError('STORAGE_FAILED');
    return this.#engine.begin();
  }

  /** Ends a transaction and sends its rows to the log: the last one's number; undefined when there is none. */
  commit(transaction: OpenTransaction, term: number): number | undefined {
    const rowCount = transaction.commit();
    if (rowCount === 0) return undefined;
    this.#pendingTerm = term;
    this.#applied += rowCount;
    for (const space of transaction.touched) this.#newest.set(space, this.#applied);
    this.#startDraining();
    return this.#applied;
  }

  /** The newest row that this process wrote to any of the spaces. */
  newestOf(spaces: ReadonlySet<number>): number {
    return Math.max(0, ...[...spaces].map((space) => this.#newest.get(space) ?? 0));
  }

  /** When it resolves, all that was written before is in the log. */
  drained(): Promise<Position> {
    return this.#exclusively(async () => this.end);
  }

  async promiseTerm(term: number): Promise<{ position: Position; promisedTerm: number }> {
    return this.#exclusively(async () => {
      if (term > this.promise.promisedTerm) {
        await this.#promise.save({ promisedTerm: term });
        this.#probe = undefined;
      }
      return { position: this.end, promisedTerm: this.promise.promisedTerm };
    });
  }

  saveInSync(term: number, seats: readonly Seat[]): Promise<void> {
    return this.#exclusively(() => this.#promise.saveInSync(term, seats));
  }

  /** Appends the first row of a term: its number; undefined when this instance must not lead in it. */
  async beginTerm(
    term: number,
    leader: string,
    isWanted: () => boolean,
  ): Promise<number | undefined> {
    return this.#exclusively(async () => {
      const { promisedTerm, ledTerm } = this.promise;
      const isOver = promisedTerm > term || ledTerm >= term || this.end.term >= term;
      if (isOver || !isWanted()) return undefined;
      await this.#promise.save({ promisedTerm: term, ledTerm: term });
      if (!isWanted()) return undefined;
      this.#probe = undefined;
      this.#engine.rows.row({ kind: 'begin-term', leader });
      await this.#log.append([this.#nextBatch(term)]);
      this.#applied = this.end.sequence;
      this.#newest.clear();
      return this.end.sequence;
    });
  }

  /** What a follower in `term` asks for; undefined when it has promised another or leads itself. */
  probe(term: number): Position | undefined {
    const { promisedTerm, ledTerm } = this.promise;
    if (promisedTerm !== term || ledTerm === term) return undefined;
    return this.#probe ?? this.end;
  }

  /** Takes what a leader answered to the question for `position`; false when that is not the question any more. */
  async receive(position: Position, answer: PullAnswer): Promise<boolean> {
    return this.#exclusively(async () => {
      const asked = this.probe(answer.term);
      if (asked?.sequence !== position.sequence || asked.term !== position.term) return false;
      if (answer.kind === 'conflict') {
        this.#probe = nextProbe(this.history, answer.hint);
        return true;
      }
      if (!continues(position, answer.term, answer.batches)) return false;
      if (position.sequence < this.end.sequence) await this.#cut(position.sequence);
      this.#probe = undefined;
      if (answer.batches.length > 0) await this.#log.append(answer.batches);
      for (const batch of answer.batches) this.#apply(batch);
      this.#applied = this.end.sequence;
      this.#knownAcknowledged = this.history.lastNotAbove(answer.acknowledged);
      if (answer.inSync.length > 0) await this.#promise.saveInSync(answer.term, answer.inSync);
      return true;
    });
  }

  behind(sequence: number, maxBytes: number): Promise<readonly Batch[]> {
    return this.#log.behind(sequence, maxBytes);
  }

  /** Until own rows are appended, but not for longer than `waitMs`. */
  async waitForRows(clock: Clock, waitMs: number): Promise<void> {
    const ended = new AbortController();
    const listener = (): void => ended.abort(new Error('rows were appended'));
    this.#rowListeners.add(listener);
    try {
      await clock.sleep(waitMs, ended.signal);
    } catch {
      // The wait ended early because there are rows: that is what it is for.
    } finally {
      this.#rowListeners.delete(listener);
    }
  }

  #startDraining(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    // What follows in this tick goes into the same write. A failure was handled where it happened.
    this.drained().then(
      () => undefined,
      () => undefined,
    );
  }

  /** Runs a task alone, after all pending rows are appended. Any failure is one of the disk or a bug of ours. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      if (this.hasFailed) throw new ClusterError('STORAGE_FAILED', { cause: this.#failure });
      try {
        await this.#appendPending();
        return await task();
      } catch (error) {
        this.#failure = error;
        this.#options.logger.error({ error }, 'the storage failed');
        this.#options.fatal(error);
        throw new ClusterError('STORAGE_FAILED', { cause: error });
      }
    });
  }

  async #appendPending(): Promise<void> {
    while (this.#engine.rows.count > 0) {
      await this.#log.append([this.#nextBatch(this.#pendingTerm)]);
      this.#options.onAppended(this.end);
      for (const listener of this.#rowListeners) listener();
    }
    this.#isDraining = false;
  }

  /** Whole transactions: all that wait. */
  #nextBatch(term: number): Batch {
    return { term, firstSequence: this.end.sequence + 1, ...this.#engine.rows.take() };
  }

  #apply(batch: Batch): void {
    this.#engine.apply(batch.payload);
  }

  async #cut(sequence: number): Promise<void> {
    const cut = await this.#log.allBehind(sequence);
    await this.#lost.keep(cut);
    await this.#log.truncate(sequence);
    this.#options.logger.warn({ rowsFrom: sequence + 1 }, 'rows of a deposed leader were cut');
    const engine = new ReferenceEngine();
    await this.#log.replay((batch) => engine.apply(batch.payload));
    this.#engine = engine;
    this.#newest.clear();
  }
}

/** Do the batches follow `position` without a gap, in terms that have been? */
function continues(position: Position, term: number, batches: readonly Batch[]): boolean {
  let { sequence, term: lastTerm } = position;
  for (const batch of batches) {
    if (batch.firstSequence !== sequence + 1 || batch.term < lastTerm || batch.term > term) {
      return false;
    }
    sequence += batch.rowCount;
    lastTerm = batch.term;
  }
  return true;
}
