/**
 * The rows of this instance: engine, log, and the rules under which a write is answered.
 *
 * - A write is applied only by a leader with a valid lease whose term has begun, and answered once every in-sync
 *   member has it, with the lease still valid then.
 * - A promise of a term is durable, and everything that came before it is in the log, before it is given.
 * - Whatever touches the log goes through one queue; a failure there stops the instance, because nobody knows then
 *   what is on the disk.
 */
import type { Issue, Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { type AwaitedRow, awaited } from '../core/replication/awaited-row.ts';
import { requireUnion, sameSeat } from '../core/replication/leader-progress.ts';
import type { PromiseAnswer, PullAnswer, PullRequest } from '../core/replication/messages.ts';
import type { IndexOptions } from '../core/schema/space-definition.ts';
import type { OpenTransaction, Reader, Transaction } from '../core/storage/engine.ts';
import { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import { afterTick } from '../foundation/after-tick.ts';
import { TaskRegistry } from '../foundation/task-registry.ts';
import type { InternalHandlers } from '../ports/peers.ts';
import { makeIndexes } from './index-builds.ts';
import { LeaderTerm } from './leader-term.ts';
import { areLocal, refuseSynchronous, SynchronousSpaces } from './local-spaces.ts';
import { buildNextRequest, buildPullRequest } from './pull-request.ts';
import { refuseThenable } from './refuse-thenable.ts';
import { ReplicaStore } from './replica-store.ts';
import { RequestStorage } from './request-storage.ts';
import { StorageRowAccess } from './row-access.ts';
import { StorageCopies } from './storage-copies.ts';
import { type StorageFigures, storageFigures } from './storage-figures.ts';
import { storageHandlers } from './storage-handlers.ts';
import { defaultStorageLimits, type StorageLimits } from './storage-limits.ts';
import type {
  ReadOptions,
  StorageReport,
  StorageServiceOptions,
  WriteOptions,
} from './storage-service-options.ts';

export class StorageService {
  readonly copies: StorageCopies;
  /** For the binary protocol. */
  readonly requests: RequestStorage;
  readonly seat: Seat;
  readonly #options: StorageServiceOptions;
  readonly #limits: StorageLimits;
  readonly #store: ReplicaStore;
  readonly #rows: StorageRowAccess;
  readonly #tasks: TaskRegistry;
  readonly #synchronous = new SynchronousSpaces();
  readonly #listeners = new Set<(isWritable: boolean) => void>();
  #leader: LeaderTerm | undefined;
  /** The highest term that anyone was heard to have promised: a lower leader writes no more. */
  #seenTerm = 0;
  #isFrozen = false;
  #wasWritable = false;
  #stopListening = (): void => undefined;

  constructor(options: StorageServiceOptions) {
    this.#options = options;
    this.#limits = { ...defaultStorageLimits, ...options.limits };
    this.seat = { uuid: options.identity.uuid, incarnation: options.identity.logIncarnation };
    const fatal = (error: unknown): void => {
      this.#leader?.end('its disk failed');
      this.#checkWritable();
      options.fatal(error);
    };
    this.#store = new ReplicaStore({
      ...options,
      createEngine: () => new MemoryEngine({ ...options, store: options.rowDatabase }),
      defer: options.defer ?? afterTick,
      limits: this.#limits,
      onAppended: (end) => this.#leader?.appended(end.sequence),
      fatal,
    });
    this.#rows = new StorageRowAccess({
      ...options,
      store: this.#store,
      isWritable: () => this.isWritable,
      requireWritable: () => this.#requireWritable(),
    });
    this.requests = new RequestStorage(this.#rows);
    this.copies = new StorageCopies({
      ...{ ...options, store: this.#store, limits: this.#limits },
      leader: () => this.#leader,
      acknowledged: () => this.#inSyncEnd(),
      onJoined: () => this.#rows.held.settle(0, 0),
    });
    this.#tasks = new TaskRegistry(options.logger, (_name, error) => fatal(error));
  }

  /** Reads the log. Afterwards it can be read, pull, and lead. */
  async open(): Promise<void> {
    await this.#store.open();
    this.#seenTerm = this.#store.promise.promisedTerm;
    this.#stopListening = this.#options.leadership.onChange(() => this.#onLeadership());
    this.#tasks.run('storage ticks', async (signal) => {
      for (;;) {
        await this.#options.clock.sleep(this.#limits.tickMs, signal);
        this.#tick();
      }
    });
    this.#tasks.run('memory of dropped spaces', (signal) => this.copies.freeMemory(signal));
    this.#tasks.run('snapshots', (signal) => this.copies.run(signal));
    this.#tasks.run('rows to the disk', (signal) => this.copies.moveRows(signal));
    this.#onLeadership();
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#leader?.end('the instance stops');
    await this.#tasks.close();
    await this.#store.close();
  }

  get replicaSetUuid(): string {
    return this.#options.replicaSetUuid;
  }

  get position(): Position {
    return this.#store.end;
  }

  get promisedTerm(): number {
    return this.#store.promise.promisedTerm;
  }

  /** A leader of a lower one has to give up its lease, so that somebody is appointed in a higher one. */
  get seenTerm(): number {
    return this.#seenTerm;
  }

  /** The in-sync members that a leader has told this process last. */
  get followed(): { readonly term: number; readonly seats: readonly Seat[] } | undefined {
    return this.#store.knownAcknowledged.sequence > 0 ? this.#store.promise.inSync : undefined;
  }

  get acknowledged(): Position {
    const leader = this.#leader;
    const isOver = leader === undefined || leader.ended;
    return isOver ? this.#store.knownAcknowledged : this.#store.history.at(leader.acknowledged);
  }

  #inSyncEnd(): number {
    const leader = this.#leader;
    return leader?.ended === false ? leader.inSyncEnd : this.#store.knownAcknowledged.sequence;
  }

  get isWritable(): boolean {
    const leader = this.#leader;
    if (leader === undefined || this.#isFrozen || this.#store.hasFailed) return false;
    return this.#seenTerm <= leader.term && leader.isWritable;
  }

  /** Called with the new value whenever `isWritable` is found changed. */
  onWritableChange(listener: (isWritable: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  report(): StorageReport {
    const { promisedTerm, inSync } = this.#store.promise;
    return {
      position: this.position,
      promisedTerm,
      logIncarnation: this.seat.incarnation,
      acknowledged: this.acknowledged,
      inSync,
      isWritable: this.isWritable,
      seenTerm: this.#seenTerm,
    };
  }

  figures(): StorageFigures {
    const { isWritable, acknowledged } = this;
    const current = this.#options.leadership.current();
    const inSync = current.kind === 'leader' ? current.inSync : this.#store.promise.inSync.seats;
    const isInSync = inSync.some((seat) => sameSeat(seat, this.seat));
    return storageFigures(this.#store, this.#leader, { isWritable, acknowledged, isInSync });
  }

  issues(): readonly Issue[] {
    const ofTerm = this.#leader?.issues() ?? [];
    return [...this.#store.lost.issues(), ...this.copies.issues(), ...ofTerm];
  }

  handlers(watch: { onPull?: (request: PullRequest) => void } = {}): InternalHandlers {
    const own = storageHandlers({
      replicaSetUuid: this.replicaSetUuid,
      promise: (term) => this.promise(term),
      answerPull: (request) => {
        watch.onPull?.(request);
        this.#seeTerm(request.term);
        return this.copies.answerPull(request);
      },
    });
    return new Map([...own, ...this.copies.handlers()]);
  }

  /** Runs `work` as one transaction: all of it happens, or nothing if it throws. It must not wait for anything. */
  async write<T>(work: (transaction: Transaction) => T, options: WriteOptions = {}): Promise<T> {
    const leader = this.#requireWritable();
    const timeoutMs = options.timeoutMs ?? this.#limits.writeTimeoutMs;
    const engine = this.#store.usableEngine();
    const { schemaVersion } = engine;
    const transaction = engine.begin();
    const { touched } = transaction;
    let result: T;
    try {
      result = work(transaction);
      refuseThenable(result);
      if (options.ack === 'local') refuseSynchronous(engine, touched);
    } catch (error) {
      transaction.rollback();
      // Why it failed may be a row that is not acknowledged: saying so must wait as any other reading of it.
      await leader.wait(this.#awaited(touched), 'NO_LEADER', timeoutMs);
      throw error;
    }
    const read = this.#awaited(touched);
    // Of a space or an index that others build on nothing may be lost.
    const isLocal = options.ack === 'local' || areLocal(engine, touched);
    const isSchema = engine.schemaVersion !== schemaVersion;
    const written = this.#store.commit(transaction, leader.term);
    if (written === undefined) await leader.wait(read, 'NO_LEADER', timeoutMs);
    else await leader.wait(awaited(written, isLocal && !isSchema), 'OUTCOME_UNKNOWN', timeoutMs);
    return result;
  }

  /** Makes indexes that a transaction is about to create, while everything goes on; gives how to release them. */
  makeIndexes(space: string, indexes: readonly IndexOptions[]): Promise<() => void> {
    const engine = (): MemoryEngine => this.#rows.writable();
    return makeIndexes(space, indexes, { ...this.#options, limits: this.#limits, engine });
  }

  /** Runs `work` on what is here now; it must not wait for anything and must not write. */
  async read<T>(work: (reader: Reader) => T, options: ReadOptions = {}): Promise<T> {
    const isLeader = this.#options.leadership.current().kind === 'leader';
    const consistency = options.consistency ?? (isLeader ? 'acknowledged' : 'local');
    const leader = consistency === 'acknowledged' ? this.#requireWritable() : undefined;
    const view: OpenTransaction = this.#store.usableEngine().begin();
    let outcome: { readonly result: T } | { readonly error: unknown };
    try {
      outcome = { result: work(view) };
      refuseThenable(outcome.result);
    } catch (error) {
      outcome = { error };
    } finally {
      view.rollback();
    }
    const timeoutMs = options.timeoutMs ?? this.#limits.writeTimeoutMs;
    await leader?.wait(this.#awaited(view.touched), 'NO_LEADER', timeoutMs);
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  /** What an answer waits for that was made of these spaces. */
  #awaited(touched: ReadonlySet<number>): AwaitedRow {
    const { newest, engine } = this.#store;
    return awaited(newest.ofAll(touched), areLocal(engine, touched));
  }

  /** Promises not to take part in any lower term. What was appended before is in the position. */
  async promise(term: number): Promise<PromiseAnswer> {
    this.#seeTerm(term);
    const promised = await this.#store.promiseTerm(term);
    return { ...promised, logIncarnation: this.seat.incarnation };
  }

  /**
   * For a planned handover: no more writes; gives the position that the successor must have. Who waits for a write is
   * answered before, unless an in-sync member is so slow that it is about to be taken out.
   */
  async freeze(): Promise<Position> {
    this.#isFrozen = true;
    this.#checkWritable();
    const end = await this.#store.drained();
    const { laggardMs } = this.#limits;
    await this.#leader?.wait(end.sequence, 'NO_LEADER', 2 * laggardMs).catch(() => undefined);
    return end;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#checkWritable();
  }

  /** How far a follower's log is known to be equal to this leader's; 0 elsewhere. */
  sequenceOf(seat: Seat): number {
    return this.#leader?.sequenceOf(seat) ?? 0;
  }

  /**
   * What a follower of `term` asks its leader for; undefined when this instance may not follow. One that has promised
   * a higher term says so to the leader: it could not follow it any more, so the leader has to give way.
   */
  async pullRequest(term: number, waitMs: number): Promise<PullRequest | undefined> {
    if (this.#store.promise.promisedTerm < term) {
      this.#seeTerm(term);
      await this.#store.promiseTerm(term, 'to follow');
    }
    return buildPullRequest(this.#store, this, waitMs);
  }

  /**
   * Takes the answer to a pull; false when it does not fit any more. The next question is given to `ask` once the rows
   * are in the log: the leader need not wait until they are in the engine too.
   */
  async receive(
    request: PullRequest,
    answer: PullAnswer,
    ask: (next: PullRequest) => void = () => undefined,
  ): Promise<boolean> {
    if (this.#seenTerm > answer.term || answer.kind === 'join') return false;
    const isReceived = await this.#store.receive(request.position, answer, () => {
      const next = buildNextRequest(this.#store, this, request);
      if (next !== undefined) ask(next);
    });
    // Nobody waits for a row here, but watchers want to know of another schema.
    this.#rows.held.settle(0, 0);
    return isReceived;
  }

  #onLeadership(): void {
    const current = this.#options.leadership.current();
    if (current.kind !== 'none') this.#seeTerm(current.term);
    if (current.kind === 'leader' && this.#leader?.term !== current.term) {
      this.#tasks.run('beginning a term', () => this.#beginTerm(current.term));
    }
    this.#leader?.settle();
    this.#checkWritable();
  }

  async #beginTerm(term: number): Promise<void> {
    const { clock, logger, leadership } = this.#options;
    const isWanted = (): boolean => {
      const current = leadership.current();
      if (current.kind !== 'leader' || current.term !== term || this.#seenTerm > term) return false;
      // Followers cut their logs to that of a leader which has begun. Without its seat the log may lack rows that
      // were acknowledged: then it must not begin, even if it could never acknowledge anything itself.
      return current.inSync.some((seat) => sameSeat(seat, this.seat));
    };
    const beganAt = await this.#store.beginTerm(term, this.seat.uuid, isWanted);
    if (beganAt === undefined || this.#leader?.term === term) return;
    this.#isFrozen = false;
    this.#leader = new LeaderTerm({
      ...{ term, own: this.seat, beganAt, leadership, clock, logger },
      limits: this.#limits,
      required: this.#options.required ?? requireUnion,
      isMember: this.#options.isMember ?? (() => true),
      instances: this.#options.instances ?? (() => [this.seat.uuid]),
      synchronous: () => this.#synchronous.of(this.#store.engine),
      applied: () => this.#store.applied.sequence,
      writeTimeoutMs: this.#limits.writeTimeoutMs,
      held: this.#rows.held,
      saveInSync: (seats) => this.#store.saveInSync(term, seats),
      onProgress: () => this.#checkWritable(),
    });
    logger.info({ term, beganAt }, 'this instance leads its replica set');
    this.#leader.settle();
    this.#store.rowSignal.notify();
  }

  /** A leader of a lower term writes no more, and does not come back in that term. */
  #seeTerm(term: number): void {
    this.#seenTerm = Math.max(this.#seenTerm, term);
    const leader = this.#leader;
    if (leader === undefined || leader.term >= this.#seenTerm) return;
    if (!leader.ended) leader.end(`term ${this.#seenTerm} has been promised`);
  }

  #tick(): void {
    const leader = this.#leader;
    if (leader !== undefined && !leader.ended) {
      this.#tasks.run('in-sync members', () => leader.tick());
    }
    this.#checkWritable();
  }

  #requireWritable(): LeaderTerm {
    if (this.#store.hasFailed) throw new ClusterError('STORAGE_FAILED');
    if (this.isWritable && this.#leader !== undefined) return this.#leader;
    const reason = this.#isFrozen ? 'its leadership is being handed over' : 'it does not lead now';
    throw new ClusterError('NO_LEADER', {
      message: `This instance accepts no writes: ${reason}. Nothing was done; repeat the request.`,
    });
  }

  #checkWritable(): void {
    const { isWritable } = this;
    if (isWritable === this.#wasWritable) return;
    this.#rows.forget();
    this.#wasWritable = isWritable;
    for (const listener of this.#listeners) listener(isWritable);
  }
}
