/**
 * Engine and log together: what is in one is in the other, except for rows that are on their way.
 *
 * Everything that changes the log or the promise runs in one queue. It begins with appending what is pending, so a
 * promise, a cut or a new term never overtakes a row. Only rows of transactions that find the queue empty and the log
 * at hand do not go through it: they are appended at once, at the end of their tick.
 */
import type { Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { continuesLog, nextProbe } from '../core/replication/log-matching.ts';
import type { RowsAnswer } from '../core/replication/messages.ts';
import { BEFORE_ALL, TermHistory } from '../core/replication/term-history.ts';
import type { OpenTransaction } from '../core/storage/engine.ts';
import type { Batch } from '../core/storage/log-format.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { RowCodec } from '../core/storage/rows.ts';
import { endLoad, moveExcess, prepareIndexes } from './engine-slices.ts';
import { Exclusive } from './exclusive.ts';
import { LostRows } from './lost-rows.ts';
import { NewestRows } from './newest-rows.ts';
import { ReplicaLog } from './replica-log.ts';
import type { ReplicaStoreOptions } from './replica-store-options.ts';
import { recoverStore, reloadEngine } from './replica-store-recovery.ts';
import { RowSignal } from './replica-store-signal.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import type { JoinedSnapshot } from './snapshot-join.ts';
import {
  commitJoin,
  completeJoin,
  endToReseed,
  markReseed,
  startsAgain,
} from './snapshot-switch.ts';
import { type PromiseRecord, TermPromise } from './term-promise.ts';

const SESSIONS_PER_START = 1000;

export class ReplicaStore {
  readonly snapshots: SnapshotFiles;
  readonly rowSignal = new RowSignal();
  readonly newest = new NewestRows();
  readonly lost: LostRows;
  /** Called after each append of own rows, when all that follows from it has been done. */
  onFlushed: () => void = () => undefined;
  /** Of the questions for rows: one of a later session says that this instance does not leave after all. */
  session: number;
  /** Grows whenever rows were taken back, or others came in their place. */
  generation = 0;
  #isLeaving = false;
  readonly #options: ReplicaStoreOptions;
  readonly #promise: TermPromise;
  readonly #queue = new Exclusive();
  #engine: MemoryEngine;
  #log: ReplicaLog;
  /** Before the log has reached it the rows are no state that ever was. */
  #completeAt: Position | undefined;
  #pendingTerm = 0;
  #applied = 0;
  #isFlushDue = false;
  #failure: unknown;
  /** What to ask a leader for, where it is not the end of the log. */
  #probe: Position | undefined;
  #knownAcknowledged = BEFORE_ALL;

  constructor(options: ReplicaStoreOptions) {
    this.#options = options;
    this.session = SESSIONS_PER_START * (options.identity.incarnation ?? 0);
    this.#engine = options.createEngine();
    this.#log = this.#createLog(new TermHistory());
    this.snapshots = new SnapshotFiles(options.disk);
    this.#promise = new TermPromise(options.disk);
    this.lost = new LostRows(options.disk, new RowCodec());
  }

  get engine(): MemoryEngine {
    return this.#engine;
  }

  get log(): ReplicaLog {
    return this.#log;
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

  /** False after a join, until the rows that were written meanwhile have come. */
  get isComplete(): boolean {
    return this.#completeAt === undefined;
  }

  /** The last row in the engine; it may not be in the log yet. */
  get applied(): Position {
    if (this.#applied <= this.end.sequence) return this.history.at(this.#applied);
    return { term: this.#pendingTerm, sequence: this.#applied };
  }

  async open(): Promise<void> {
    const { logIncarnation } = this.#options.identity;
    await this.#promise.load();
    await this.lost.load();
    await this.#recover(this.#promise.record.logIncarnation === logIncarnation);
    this.#promise.expect(this.end.term);
    await this.#promise.save({ logIncarnation });
  }

  async close(): Promise<void> {
    if (!this.hasFailed) await this.drained();
    await this.#log.close();
    await this.#options.rowDatabase?.close();
  }

  get isUsable(): boolean {
    const { failure, isStale = false } = this.#engine.disk ?? {};
    return !this.hasFailed && this.isComplete && failure === undefined && !isStale;
  }

  usableEngine(): MemoryEngine {
    if (this.isUsable) return this.#engine;
    const failure = this.#engine.disk?.failure;
    if (this.hasFailed || failure !== undefined) throw this.fail(failure?.error);
    throw new ClusterError('NOT_READY', {
      message: 'This instance gets a copy of the data from its leader. Ask another one.',
    });
  }

  /** Ends a transaction and sends its rows to the log: the last one's number; undefined when there is none. */
  commit(transaction: OpenTransaction, term: number): number | undefined {
    const rowCount = transaction.commit();
    return rowCount === 0 ? undefined : this.committed(rowCount, transaction.touched, term);
  }

  /** Rows that were added to the engine's go to the log: the last one's number. */
  committed(rowCount: number, spaces: Iterable<number>, term: number): number {
    this.#pendingTerm = term;
    this.#applied += rowCount;
    this.newest.note(spaces, this.#applied, this.#engine.schemaVersion);
    this.#flushLater();
    return this.#applied;
  }

  /** When it resolves, all that was written before is in the log. */
  drained(): Promise<Position> {
    return this.exclusively(async () => this.end);
  }

  /** To follow in a term, a promise is enough that becomes durable with the first row of the term. */
  async promiseTerm(
    term: number,
    how: 'durable' | 'to follow' = 'durable',
  ): Promise<{ position: Position; promisedTerm: number }> {
    return this.exclusively(async () => {
      const isNew = how === 'durable' ? this.#promise.promise(term) : this.#promise.expect(term);
      if (await isNew) this.#probe = undefined;
      return { position: this.end, promisedTerm: this.promise.promisedTerm };
    });
  }

  saveInSync(term: number, seats: readonly Seat[]): Promise<void> {
    return this.exclusively(() => this.#promise.saveInSync(term, seats));
  }

  /** Appends the first row of a term, its promise: the row's number; undefined when this instance must not lead. */
  async beginTerm(
    term: number,
    leader: string,
    isWanted: () => boolean,
  ): Promise<number | undefined> {
    return this.exclusively(async () => {
      const isOver = !this.#promise.mayLead(term) || this.end.term >= term;
      if (isOver || !this.isComplete || !isWanted()) return undefined;
      this.#promise.lead(term);
      this.#probe = undefined;
      this.#engine.rows.row({ kind: 'begin-term', leader });
      await this.#log.appendOwn(this.#nextBatch(term));
      this.#applied = this.end.sequence;
      this.newest.clear();
      // Nobody waits for it: that row says it already, until it should be cut.
      this.exclusively(() => this.#promise.save()).catch(() => undefined);
      return this.end.sequence;
    });
  }

  /** What a follower in `term` asks for; undefined when it has promised another or leads itself. */
  probe(term: number): Position | undefined {
    const { promisedTerm, ledTerm } = this.promise;
    if (promisedTerm !== term || ledTerm === term || this.#isLeaving) return undefined;
    return this.#probe ?? this.end;
  }

  /**
   * Takes what a leader answered to the question for `position`; false when that is not the question any more. The rows
   * count when they are in the log, which `onAppended` tells: a start brings them into the engine, if need be.
   */
  receive(position: Position, answer: RowsAnswer, onAppended?: () => void): Promise<boolean> {
    return this.exclusively(async () => {
      if (!this.#isAsked(position, answer.term)) return false;
      if (answer.kind === 'conflict') {
        this.#probe = nextProbe(this.history, answer.hint);
        return true;
      }
      if (!continuesLog(position, answer.term, answer.batches)) return false;
      if (position.sequence < this.end.sequence) await this.#cut(position.sequence);
      this.#probe = undefined;
      await prepareIndexes(this.#engine, answer.batches, this.#options);
      if (answer.batches.length > 0) await this.#log.append(answer.batches);
      // One step with what follows: who was told of the rows by the leader may look for them here.
      onAppended?.();
      for (const batch of answer.batches) this.#engine.applyBatch(batch);
      this.#applied = this.end.sequence;
      if (answer.inSync.length > 0) await this.#promise.saveInSync(answer.term, answer.inSync);
      await this.#checkComplete();
      this.#knownAcknowledged = this.history.lastNotAbove(answer.acknowledged);
      await moveExcess(this.#engine, this.#knownAcknowledged.sequence, this.#options);
      return true;
    });
  }

  /**
   * Puts a leader's snapshot in the place of all rows: those behind `position`, to which the leader answered that it
   * does not have the next ones, are kept in `lost/`. False when that is not the question any more.
   */
  async join(position: Position, term: number, joined: JoinedSnapshot): Promise<boolean> {
    return this.exclusively(async () => {
      const { name, start, end, runs } = joined;
      if (!this.#isAsked(position, term) || start.sequence <= position.sequence) return false;
      if (!new TermHistory(runs).has(position)) return false;
      const { disk, logger } = this.#options;
      await this.#promise.save();
      await this.lost.keep(await this.#log.allBehind(position.sequence));
      this.generation++;
      await this.#log.close();
      await commitJoin(disk, { name, end, keepsOld: this.isComplete });
      logger.info({ position, start, end }, 'the data is exchanged for a snapshot of the leader');
      await this.#recover(true);
      return true;
    });
  }

  /** About to lose its rows it follows nobody, so that nobody counts on them. */
  setLeaving(isLeaving: boolean): void {
    if (this.#isLeaving && !isLeaving) this.session++;
    this.#isLeaving = isLeaving;
  }

  /** From its next start on it is without its rows; this ends the process. */
  async reseed(reason: string): Promise<void> {
    await this.exclusively(() => markReseed(this.#options.disk, reason));
    this.fail(startsAgain(reason));
  }

  /** Runs a task alone, after all rows that are written now. Any failure is one of the disk or a bug of ours. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const written = this.#applied;
    return this.#queue.run(async () => {
      if (this.hasFailed) throw new ClusterError('STORAGE_FAILED', { cause: this.#failure });
      try {
        while (this.#engine.rows.count > 0 && this.end.sequence < written) {
          await this.#appendPending();
        }
        return await task();
      } catch (error) {
        throw this.fail(error);
      }
    });
  }

  /** Nobody knows now what is on the disk: the process has to end. */
  fail(error: unknown): ClusterError {
    if (!this.hasFailed) {
      this.#failure = error;
      this.#options.logger.error({ error }, 'the storage failed');
      this.#options.fatal(error);
    }
    return new ClusterError('STORAGE_FAILED', { cause: error });
  }

  readonly #reseed = (reason: string): Promise<never> => endToReseed(this.#options.disk, reason);

  readonly #createLog = (base: TermHistory): ReplicaLog => {
    const { disk, logMode: mode, limits } = this.#options;
    return new ReplicaLog({ disk, mode, ...limits, base });
  };

  async #recover(sameBoot: boolean): Promise<void> {
    this.#engine.disk?.retire();
    const own = { snapshots: this.snapshots, createLog: this.#createLog, sameBoot };
    const recovered = await recoverStore({ ...this.#options, ...own });
    this.#exchangeEngine(recovered.engine);
    this.#log = recovered.log;
    this.#completeAt = recovered.completeAt;
    this.#applied = this.end.sequence;
    this.#probe = undefined;
  }

  #isAsked(position: Position, term: number): boolean {
    const asked = this.probe(term);
    return asked?.sequence === position.sequence && asked.term === position.term;
  }

  /** What follows in this tick goes into the same write. */
  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    if (this.hasFailed || this.#engine.rows.count === 0) return;
    if (this.#queue.isIdle && this.#log.isAtHand) {
      try {
        this.#log.appendNow(this.#nextBatch(this.#pendingTerm));
        this.#appended();
      } catch (error) {
        this.fail(error);
      }
      return;
    }
    // Rows that come while these are written wait for the next turn, so that other tasks get theirs.
    this.#queue
      .run(async () => {
        if (this.hasFailed || this.#engine.rows.count === 0) return;
        await this.#appendPending();
        if (this.#engine.rows.count > 0) this.#flushLater();
      })
      .catch((error: unknown) => this.fail(error));
  };

  /** Whole transactions: all that wait now. */
  async #appendPending(): Promise<void> {
    await this.#log.appendOwn(this.#nextBatch(this.#pendingTerm));
    this.#appended();
  }

  #appended(): void {
    this.#options.onAppended(this.end);
    this.rowSignal.notify();
    this.onFlushed();
  }

  #nextBatch(term: number): Batch {
    return this.#engine.takeBatch(term, this.end.sequence + 1);
  }

  /** A snapshot whose end was cut off holds rows that are not in the log: it goes first. */
  async #cut(sequence: number): Promise<void> {
    await this.#promise.save();
    await this.lost.keep(await this.#log.allBehind(sequence));
    this.generation++;
    const usable = this.snapshots.newestUpTo(sequence, this.#log.first);
    if (usable === undefined && this.#log.first > 1) {
      await this.#reseed('rows were cut that all of its snapshots hold');
    }
    this.#engine.disk?.retire();
    await this.snapshots.removeBehind(sequence);
    await this.#log.truncate(sequence);
    this.#options.logger.warn({ rowsFrom: sequence + 1 }, 'rows of a deposed leader were cut');
    this.#exchangeEngine(await reloadEngine(this.#options, this.#log, usable));
    this.#applied = sequence;
  }

  /** Connections outlive it: no version of the schema that one was told may come back with another schema. */
  #exchangeEngine(engine: MemoryEngine): void {
    engine.schemaVersion = Math.max(engine.schemaVersion, this.#engine.schemaVersion + 1);
    this.#engine = engine;
    this.newest.clear();
  }

  async #checkComplete(): Promise<void> {
    const at = this.#completeAt;
    if (at === undefined || this.end.sequence < at.sequence) return;
    if (!this.history.has(at)) {
      await this.#reseed('the snapshot that it has joined with holds rows that were cut');
    }
    // From now on a log that ends earlier has lost rows: it must not be able to.
    await this.#log.sync();
    await completeJoin(this.#options.disk);
    await endLoad(this.#engine, this.#options);
    this.#completeAt = undefined;
  }
}
