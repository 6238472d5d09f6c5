/**
 * The leader's side of a join: pieces of its newest snapshot.
 *
 * A snapshot gets its name only when its end is acknowledged, and the log behind its start stays as long as it: so
 * whoever has it finds in the log all that was written meanwhile.
 */
import type { SnapshotAnswer, SnapshotRequest } from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Disk } from '../ports/disk.ts';
import type { ReplicaSnapshots } from './replica-snapshots.ts';
import { type PullSources, requireLeader } from './serve-pull.ts';
import type { SnapshotInfo } from './snapshot-files.ts';

export interface JoinSources extends Pick<PullSources, 'store' | 'leader' | 'limits'> {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly replicaSnapshots: ReplicaSnapshots;
}

/** A snapshot that nobody has asked a piece of for so long may be removed. */
const HOLD_MS = 30_000;
/** For so long a follower waits here for the first snapshot, rather than asking again and again. */
const WAIT_MS = 1000;
const LOOK_EVERY_MS = 20;

export async function answerSnapshot(
  request: SnapshotRequest,
  sources: JoinSources,
): Promise<SnapshotAnswer> {
  const { store, disk, clock, limits, replicaSnapshots } = sources;
  requireLeader(request.term, sources);
  let snapshot = chosen(request, store.snapshots.all);
  if (snapshot === undefined && request.name === null) {
    replicaSnapshots.request('an instance joins');
    snapshot = await nextSnapshot(request, sources);
  }
  if (snapshot === undefined) return { kind: 'later' };
  const { name, path, bytes: total } = snapshot;
  store.snapshots.hold(name, clock.monotonicMs() + HOLD_MS);
  const bytes = await disk.readPart(path, request.offset, limits.pullBytes);
  return bytes === undefined ? { kind: 'later' } : { kind: 'part', name, total, bytes };
}

async function nextSnapshot(
  request: SnapshotRequest,
  { store, clock }: JoinSources,
): Promise<SnapshotInfo | undefined> {
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_EVERY_MS) {
    await clock.sleep(LOOK_EVERY_MS);
    const found = chosen(request, store.snapshots.all);
    if (found !== undefined) return found;
  }
  return undefined;
}

function chosen(
  { name, position }: SnapshotRequest,
  all: readonly SnapshotInfo[],
): SnapshotInfo | undefined {
  if (name !== null) return all.find((snapshot) => snapshot.name === name);
  const newest = all.at(-1);
  return newest !== undefined && newest.start.sequence > position.sequence ? newest : undefined;
}
