/**
 * The rows of all disk spaces of an engine: which batches of the log wait for the store, and when they go there.
 *
 * The engine applies a batch to memory at once, as for other spaces. Once it is acknowledged it is applied to the
 * store, and what it changed goes from memory. While an instance starts it is not known what is acknowledged, and
 * what waits may be more than memory holds: then it goes to the store as well, which is made anew if the log is cut.
 */
import type { Position } from '../../../contract/instance-status.ts';
import { assert } from '../../../foundation/assert.ts';
import type { Batch } from '../log-format.ts';
import type { Arena } from '../memory/arena.ts';
import type { MemorySpace } from '../memory/memory-space.ts';
import { DiskOverlay } from './disk-overlay.ts';
import type { OrderedStore } from './ordered-store.ts';
import type { DiskContext, SpaceOverlay } from './space-overlay.ts';
import { type SettledRow, type SnapshotRange, StoredSpaces } from './stored-spaces.ts';

export interface DiskRowsLimits {
  /** Of batches that are applied to the store in one change. */
  readonly changeBytes: number;
  /** Of batches that wait, before writers have to move some. */
  readonly waitingBytes: number;
  /** Of rows that are in memory for one page of a walk. */
  readonly pageBytes: number;
  /** An index over more rows would be built for too long in one step. */
  readonly builtRows: number;
}

const defaultLimits: DiskRowsLimits = {
  changeBytes: 16 * 1024,
  waitingBytes: 16 * 1024 * 1024,
  pageBytes: 1024 * 1024,
  builtRows: 50_000,
};

export interface EngineOfDiskRows {
  readonly arena: Arena;
  space(id: number): MemorySpace | undefined;
  spaces(): readonly MemorySpace[];
}

type WaitingBatch = Pick<Batch, 'term' | 'firstSequence' | 'rowCount' | 'payload'>;

export class DiskRows implements DiskContext {
  readonly stored: StoredSpaces;
  readonly arena: Arena;
  readonly #engine: EngineOfDiskRows;
  readonly #limits: DiskRowsLimits;
  #waiting: WaitingBatch[] = [];
  #waitingBytes = 0;
  /** As far as the log is known to be acknowledged. */
  #acknowledged = 0;
  #isUsed: boolean;
  #isFilling = false;
  #loadingFrom: SnapshotRange | undefined;
  #isCatchingUp = false;
  #isRetired = false;
  /** The store failed: nobody knows what it has, so nothing goes there any more. */
  #failure: { readonly error: unknown } | undefined;

  constructor(store: OrderedStore, engine: EngineOfDiskRows, limits: Partial<DiskRowsLimits> = {}) {
    this.stored = new StoredSpaces(store);
    this.#engine = engine;
    this.arena = engine.arena;
    this.#limits = { ...defaultLimits, ...limits };
    this.#isUsed = !this.stored.isEmpty;
  }

  get keyBytesMax(): number {
    return this.stored.store.keyBytesMax;
  }

  get pageBytes(): number {
    return this.#limits.pageBytes;
  }

  get builtRows(): number {
    return this.#limits.builtRows;
  }

  /** A new space of the engine; `before` is what it was before a truncation that the store has not seen. */
  attach(space: MemorySpace, before?: SpaceOverlay): void {
    this.#isUsed = true;
    space.overlay = new DiskOverlay(this, space, before === undefined ? 0 : before.truncations + 1);
  }

  /** Does the store have all rows before a snapshot's start, so that only the log behind it is needed? */
  hasAllBefore({ sequence }: Position): boolean {
    return !this.stored.isFilling && this.stored.position.sequence >= sequence;
  }

  /** From now on rows come from a snapshot: the store has what is in it, or is empty. */
  beginLoad(snapshot: SnapshotRange): void {
    this.#loadingFrom = snapshot;
    this.#isCatchingUp = true;
    this.#isFilling = !this.hasAllBefore(snapshot.start);
    assert(!this.#isFilling || this.stored.isEmpty, 'a store that is behind a snapshot is emptied');
  }

  /** Rows of the snapshot, whose definitions are in the engine already. */
  fill(payload: Uint8Array): void {
    if (this.#isFilling && this.#isUsed && this.#loadingFrom !== undefined) {
      this.stored.fill(payload, this.#loadingFrom);
    }
  }

  get isCatchingUp(): boolean {
    return this.#isCatchingUp;
  }

  /** A batch of the log is about to be applied: a snapshot is through by now. */
  beginBatch(batch: Pick<Batch, 'firstSequence'>): void {
    if (this.#isFilling) {
      this.stored.endFill();
      this.#isFilling = false;
    }
    this.#isCatchingUp = this.#isStored(batch);
  }

  /** A batch was applied to the engine: it waits for the store. */
  note(batch: WaitingBatch): void {
    if (!this.#isUsed || this.#isRetired || this.#isStored(batch)) return;
    this.#waiting.push(batch);
    this.#waitingBytes += batch.payload.length;
    if (this.#loadingFrom === undefined) return;
    while (this.#waitingBytes > this.#limits.waitingBytes) this.#moveSome(Number.POSITIVE_INFINITY);
  }

  endLoad(): void {
    if (this.#isFilling) this.stored.endFill();
    this.#isFilling = false;
    this.#isCatchingUp = false;
    this.#loadingFrom = undefined;
  }

  /** Another engine takes the store over: this one must not touch it any more. */
  retire(): void {
    this.#isRetired = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Why the store failed, if it did: what is said of it is not to be relied on then. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Is what it says of the store out of date? */
  get isStale(): boolean {
    return this.#isRetired && this.#isUsed;
  }

  /** Moves acknowledged rows to the store, until `isEnough`; true when some are left. */
  flush(acknowledged: number, isEnough: () => boolean = () => false): boolean {
    this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
    if (!this.#isUsed || this.#isRetired) return false;
    for (const space of this.#engine.spaces()) space.overlay?.cool();
    while (this.#moveSome(this.#acknowledged)) if (isEnough()) return true;
    return false;
  }

  /** Removes some of what spaces and indexes that were dropped have left. */
  collectGarbage(): void {
    if (!this.#isRetired) this.stored.collectGarbage();
  }

  /** A writer is about to add to what waits: with too much of it, it has to wait for the store. */
  relieve(): void {
    if (this.#waitingBytes > this.#limits.waitingBytes) this.#moveSome(this.#acknowledged);
  }

  /** Moves a few acknowledged rows while too many wait; false when that is not so, or none may move. */
  moveExcess(acknowledged: number): boolean {
    this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
    const { waitingBytes } = this.#limits;
    return this.#waitingBytes > waitingBytes && this.#moveSome(this.#acknowledged);
  }

  #isStored({ firstSequence }: Pick<Batch, 'firstSequence'>): boolean {
    return this.#isUsed && firstSequence <= this.stored.position.sequence;
  }

  #moveSome(upTo: number): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    let count = 0;
    let bytes = 0;
    for (const { firstSequence, rowCount, payload } of this.#waiting) {
      if (firstSequence + rowCount - 1 > upTo || bytes >= this.#limits.changeBytes) break;
      bytes += payload.length;
      count += 1;
    }
    const last = this.#waiting[count - 1];
    if (last === undefined) return false;
    const { term, firstSequence, rowCount } = last;
    const position = { term, sequence: firstSequence + rowCount - 1 };
    const payloads = this.#waiting.slice(0, count).map(({ payload }) => payload);
    try {
      const settled = this.stored.apply(payloads, position);
      this.#waiting.splice(0, count);
      this.#waitingBytes -= bytes;
      this.#settle(settled);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
    return true;
  }

  #settle(rows: readonly SettledRow[]): void {
    let isSchema = false;
    for (const row of rows) {
      isSchema ||= row.kind === 'schema' || row.kind === 'truncate';
      const handle = this.#engine.space(row.space)?.overlay?.settle(row) ?? 0;
      if (handle !== 0) this.arena.free(handle);
    }
    if (!isSchema) return;
    for (const { overlay } of this.#engine.spaces()) overlay?.completeIndexes();
  }
}
