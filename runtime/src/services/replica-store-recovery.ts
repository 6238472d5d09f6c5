/**
 * Makes engine and log from what is on the disk: the newest snapshot that is whole, and the log behind its start.
 *
 * - A snapshot that is damaged is left out, when the one before it and the log make the same rows.
 * - The rows of a snapshot are a state only once the log behind it has reached its end. A snapshot gets its name only
 *   when its end is durable in the log, so a log that ends earlier has lost rows, unless the snapshot is another
 *   instance's: then the rows between have still to come.
 */
import type { Position } from '../contract/instance-status.ts';
import { BEFORE_ALL, TermHistory } from '../core/replication/term-history.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { RowDatabase } from '../ports/row-database.ts';
import { type EngineSliceOptions, endLoad } from './engine-slices.ts';
import type { ReplicaLog } from './replica-log.ts';
import { damaged, firstOf, LOG_FOLDER, segmentNames } from './replica-log-recovery.ts';
import { SNAPSHOT_FOLDER, type SnapshotFiles, type SnapshotInfo } from './snapshot-files.ts';
import { readSnapshot } from './snapshot-reader.ts';
import { completeJoin, finishSwitch, type JoinMarker } from './snapshot-switch.ts';

export interface RecoverStoreOptions extends EngineSliceOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly snapshots: SnapshotFiles;
  readonly createEngine: () => MemoryEngine;
  readonly rowDatabase?: RowDatabase | undefined;
  readonly createLog: (base: TermHistory) => ReplicaLog;
  /** Since the log was written only the process has ended. */
  readonly sameBoot: boolean;
}

export interface RecoveredStore {
  readonly engine: MemoryEngine;
  readonly log: ReplicaLog;
  /** Before the log has reached it the rows are no state that ever was, and the engine is still loading. */
  readonly completeAt: Position | undefined;
}

export async function recoverStore(options: RecoverStoreOptions): Promise<RecoveredStore> {
  const { disk, logger, snapshots, createLog, sameBoot } = options;
  await options.rowDatabase?.open();
  const join = await finishSwitch(disk);
  for (const name of await snapshots.load()) logDamaged(logger, name, 'its ends are not right');
  const loaded = await loadNewest(options);
  const { snapshot } = loaded;
  const log = createLog(new TermHistory(snapshot?.runs));
  const { clock, limits } = options;
  const slices = { clock, sliceMs: limits.indexSliceMs, pauseRatio: 0 };
  const cutBytes = await log.open(sameBoot, (batch) => loaded.engine.applyBatch(batch), slices);
  const engine = fits(loaded.engine, log, snapshot)
    ? loaded.engine
    : await load(options, log, snapshot);
  const completeAt = await checkEnd(disk, { snapshot, log, join });
  // Before that the rows are those of several moments: what is unique may be there twice.
  if (completeAt === undefined) await endLoad(engine, options);
  logger.info(
    { position: log.end, snapshot: snapshot?.start, cutBytes, completeAt },
    'the data has been read',
  );
  return { engine, log, completeAt };
}

type LoadOptions = Pick<RecoverStoreOptions, 'disk' | 'createEngine' | 'rowDatabase'>;

/** An engine with the rows of a log and of the snapshot before it; all of its log is in order already. */
export async function reloadEngine(
  options: EngineSliceOptions & LoadOptions,
  log: ReplicaLog,
  snapshot: SnapshotInfo | undefined,
): Promise<MemoryEngine> {
  const engine = await load(options, log, snapshot);
  await endLoad(engine, options);
  return engine;
}

/** Rows on the disk that are not of this log are made anew. */
async function load(
  options: LoadOptions,
  log: ReplicaLog,
  snapshot: SnapshotInfo | undefined,
): Promise<MemoryEngine> {
  const { disk, rowDatabase } = options;
  if (!fits(options.createEngine(), log, snapshot)) await rowDatabase?.wipe();
  const engine = await beginLoad(options, snapshot);
  if (snapshot !== undefined) {
    const onBlock = (payload: Uint8Array): void => engine.apply(payload);
    const reading = await readSnapshot(disk, snapshot.path, { onBlock });
    if (reading.kind === 'faulty') throw refusal(snapshot.path, reading.fault.reason, 1);
  }
  await log.replay(snapshot?.start.sequence ?? 0, (batch) => engine.applyBatch(batch));
  return engine;
}

/** Are the rows on the disk those of a row of this log, and of all before it, or on the way there? */
function fits(
  { disk }: MemoryEngine,
  { history }: ReplicaLog,
  snapshot: SnapshotInfo | undefined,
): boolean {
  if (disk === undefined) return true;
  const { position, filledTo } = disk.stored;
  if (!history.has(position)) return false;
  if (filledTo === undefined || history.has(filledTo)) return true;
  // Of a snapshot that was joined with, the log may not have reached the end yet.
  return filledTo.sequence === snapshot?.end.sequence && filledTo.term === snapshot.end.term;
}

/** An engine for the rows of a snapshot. What is on the disk serves if it is not older, and is whole. */
async function beginLoad(
  { createEngine, rowDatabase }: LoadOptions,
  snapshot: SnapshotInfo | undefined,
): Promise<MemoryEngine> {
  const start = snapshot?.start ?? BEFORE_ALL;
  let engine = createEngine();
  if (engine.disk?.hasAllBefore(start) === false) {
    await rowDatabase?.wipe();
    engine = createEngine();
  }
  engine.beginLoad(start, snapshot?.end);
  return engine;
}

async function loadNewest(
  options: RecoverStoreOptions,
): Promise<{ engine: MemoryEngine; snapshot: SnapshotInfo | undefined }> {
  const { disk, logger, snapshots } = options;
  for (const snapshot of snapshots.all.toReversed()) {
    const engine = await beginLoad(options, snapshot);
    const onBlock = (payload: Uint8Array): void => engine.apply(payload);
    const reading = await readSnapshot(disk, snapshot.path, { onBlock });
    if (reading.kind === 'whole') return { engine, snapshot };
    logDamaged(logger, snapshot.name, reading.fault.reason);
    await snapshots.setAside(snapshot);
  }
  await requireFirstRow(disk);
  return { engine: await beginLoad(options, undefined), snapshot: undefined };
}

/** Without a snapshot the log has to be there from its first row on, or not at all. */
async function requireFirstRow(disk: Disk): Promise<void> {
  const [name] = await segmentNames(disk);
  const others = (await disk.list(SNAPSHOT_FOLDER)).filter((other) => other.endsWith('.damaged'));
  if (name === undefined && others.length === 0) return;
  if (name !== undefined && firstOf(name) === 1) return;
  const which = others.at(-1);
  const path = which === undefined ? `${LOG_FOLDER}/${name}` : `${SNAPSHOT_FOLDER}/${which}`;
  const what =
    which === undefined ? 'nothing is before it' : 'it is damaged, and so are all others';
  throw refusal(path, what, 1);
}

async function checkEnd(
  disk: Disk,
  found: {
    readonly snapshot: SnapshotInfo | undefined;
    readonly log: ReplicaLog;
    readonly join: JoinMarker | undefined;
  },
): Promise<Position | undefined> {
  const { snapshot, log, join } = found;
  if (snapshot !== undefined && !log.history.has(snapshot.end)) {
    if (join?.name === snapshot.name && log.end.sequence < snapshot.end.sequence) {
      return snapshot.end;
    }
    const missing = Math.min(log.end.sequence + 1, snapshot.end.sequence);
    const { term, sequence } = snapshot.end;
    const what = `the log does not have row ${sequence} of term ${term}, with which it ends`;
    throw refusal(snapshot.path, what, missing);
  }
  if (join !== undefined) {
    await log.sync();
    await completeJoin(disk);
  }
  return undefined;
}

function refusal(path: string, what: string, missingSequence: number): Error {
  return damaged(`${path}: ${what}`, { path, missingSequence });
}

function logDamaged(logger: Logger, name: string, reason: string): void {
  logger.warn({ name, reason }, 'a snapshot is damaged; the one before it is used');
}
