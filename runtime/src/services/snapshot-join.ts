/**
 * The follower's side of a join: fetches a snapshot of its leader, piece by piece, beside its own data.
 *
 * Nothing of its own is touched before all of the snapshot is here, whole and durable. Pieces of two snapshots do not
 * fit together: the checksums in them are chained.
 */
import type { Position } from '../contract/instance-status.ts';
import type { SnapshotAnswer } from '../core/replication/messages.ts';
import type { TermRun } from '../core/replication/term-history.ts';
import type { Disk } from '../ports/disk.ts';
import { readSnapshot } from './snapshot-reader.ts';
import { JOIN_FOLDER } from './snapshot-switch.ts';

export interface JoinedSnapshot {
  readonly name: string;
  readonly start: Position;
  readonly end: Position;
  readonly runs: readonly TermRun[];
}

/** Asks for the piece from `offset` on; without a name for the beginning of the newest one. */
export type FetchPiece = (name: string | null, offset: number) => Promise<SnapshotAnswer>;

const PART = `${JOIN_FOLDER}/part`;
const SYNC_BYTES = 8 * 1024 * 1024;

/** The snapshot is `join/<name>` then; undefined when there is none yet, or it went away half way. */
export async function downloadSnapshot(
  disk: Disk,
  fetchPiece: FetchPiece,
): Promise<JoinedSnapshot | undefined> {
  const first = await fetchPiece(null, 0);
  if (first.kind === 'later') return undefined;
  await disk.remove(JOIN_FOLDER);
  const isWhole = await writePieces(disk, first, fetchPiece);
  const reading = isWhole ? await readSnapshot(disk, PART) : undefined;
  if (reading?.kind !== 'whole') {
    await disk.remove(JOIN_FOLDER);
    return undefined;
  }
  await disk.rename(PART, `${JOIN_FOLDER}/${first.name}`);
  const { start, end, runs } = reading.snapshot;
  return { name: first.name, start, end, runs };
}

async function writePieces(
  disk: Disk,
  first: SnapshotAnswer & { readonly kind: 'part' },
  fetchPiece: FetchPiece,
): Promise<boolean> {
  const file = await disk.openAppend(PART);
  try {
    let piece: SnapshotAnswer = first;
    let written = 0;
    let synced = 0;
    for (;;) {
      if (piece.kind === 'later' || piece.bytes.length === 0) return false;
      const { bytes } = piece;
      written += bytes.length;
      // The next one is under way while this one is written.
      const next = written < first.total ? fetchPiece(first.name, written) : undefined;
      file.write(bytes);
      if (next === undefined) break;
      if (written - synced >= SYNC_BYTES) {
        // Bit by bit, so that the last one does not take long.
        await file.sync();
        synced = written;
      }
      piece = await next;
    }
    await file.sync();
    return written === first.total;
  } finally {
    await file.close();
  }
}
