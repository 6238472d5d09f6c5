/**
 * Takes one snapshot while everything goes on.
 *
 * The rows are read slice by slice, and what is written meanwhile may be among them or not: applied to them, the log
 * from the start to the end of the reading makes a state that was. So the snapshot gets its name only when all of
 * that log is durable; and only when it is acknowledged, because rows that are not may have to be cut, and nothing
 * can be cut from a snapshot.
 */
import type { Position } from '../contract/instance-status.ts';
import type { ScanCursor } from '../core/storage/engine.ts';
import type { Clock } from '../foundation/clock.ts';
import type { ReplicaStore } from './replica-store.ts';
import type { SnapshotInfo, SnapshotWriting } from './snapshot-files.ts';

export interface TakeSnapshotOptions {
  readonly store: ReplicaStore;
  readonly clock: Clock;
  /** The last row that is known to be on all in-sync members. */
  readonly acknowledged: () => number;
  readonly limits: SnapshotTakeLimits;
  readonly signal: AbortSignal;
}

export interface SnapshotTakeLimits {
  /** How long the rows are read without a pause. Others wait for so long. */
  readonly snapshotSliceMs: number;
  /** The shortest pause between two slices. */
  readonly snapshotPauseMs: number;
  readonly snapshotBlockBytes: number;
}

const SYNC_BYTES = 8 * 1024 * 1024;
const SETTLE_MS = 50;

/** Undefined when rows were taken back meanwhile, or the schema changed, so that it would be of no use. */
export async function takeSnapshot(
  options: TakeSnapshotOptions,
): Promise<SnapshotInfo | undefined> {
  const { store } = options;
  const { generation } = store;
  let schemaVersion = 0;
  const isTakenBack = (): boolean => store.generation !== generation || store.hasFailed;
  const { writing, start } = await store.exclusively(async () => {
    const { end: start } = store;
    ({ schemaVersion } = store.engine);
    return { start, writing: await store.snapshots.begin(start, store.history.runs) };
  });
  // Definitions are written once, at the beginning: rows of others must not be among them.
  const isVoid = (): boolean => isTakenBack() || store.engine.schemaVersion !== schemaVersion;
  try {
    const end = isVoid() ? undefined : await writeRows(writing, start, options, isVoid);
    if (end === undefined || isVoid() || !(await settle(end, options, isTakenBack))) {
      await store.snapshots.abandon(writing);
      return undefined;
    }
    await writing.seal(end);
    // A cut looks for snapshots that hold what it cuts: it must see this one, or this one must see the cut.
    return await store.exclusively(async () => {
      if (!isTakenBack() && store.history.has(end)) return store.snapshots.publish(writing);
      await store.snapshots.abandon(writing);
      return undefined;
    });
  } catch (error) {
    // A snapshot that fails, for want of room perhaps, harms nobody once its part of the disk is free again.
    await store.snapshots.abandon(writing).catch(() => undefined);
    if (options.signal.aborted || isVoid()) return undefined;
    throw error;
  }
}

/** The last row that may be among those that were read. */
async function writeRows(
  writing: SnapshotWriting,
  start: Position,
  { store, clock, limits, signal }: TakeSnapshotOptions,
  isVoid: () => boolean,
): Promise<Position | undefined> {
  let end = start;
  let cursor: ScanCursor | undefined;
  let synced = 0;
  for (;;) {
    const beganMs = clock.monotonicMs();
    do {
      const { payload, rowCount, next } = store.engine.scan(cursor, limits.snapshotBlockBytes);
      writing.block(payload, rowCount);
      cursor = next;
    } while (cursor !== undefined && clock.monotonicMs() - beganMs < limits.snapshotSliceMs);
    end = store.applied;
    if (cursor === undefined) return end;
    if (writing.bytes - synced >= SYNC_BYTES) {
      // Bit by bit, so that the last one does not take long.
      await writing.sync();
      synced = writing.bytes;
    }
    // As long as it has worked: others get half of the time.
    const workedMs = clock.monotonicMs() - beganMs;
    await clock.sleep(Math.max(workedMs, limits.snapshotPauseMs), signal);
    if (isVoid()) return undefined;
  }
}

/** Waits until the log up to `end` is durable here and acknowledged; false when it never will be. */
async function settle(
  end: Position,
  { store, clock, acknowledged, signal }: TakeSnapshotOptions,
  isVoid: () => boolean,
): Promise<boolean> {
  while (store.end.sequence < end.sequence || acknowledged() < end.sequence) {
    if (isVoid()) return false;
    await clock.sleep(SETTLE_MS, signal);
  }
  if (isVoid() || !store.history.has(end)) return false;
  try {
    await store.log.sync();
  } catch (error) {
    throw store.fail(error);
  }
  return !isVoid();
}
