/** Sizes and times of the storage of an instance. */
import { defaultProgressLimits, type ProgressLimits } from '../core/replication/leader-progress.ts';
import { defaultIndexBuildLimits, type IndexBuildLimits } from './index-builds.ts';
import type { MoveRowsLimits } from './move-disk-rows.ts';
import { defaultSnapshotLimits, type SnapshotLimits } from './replica-snapshots.ts';

export interface StorageLimits
  extends ProgressLimits,
    SnapshotLimits,
    IndexBuildLimits,
    MoveRowsLimits {
  readonly segmentBytes: number;
  readonly recentBytes: number;
  /** Payload of one answer to a pull, and of a piece of a snapshot. */
  readonly pullBytes: number;
  /** An instance without rows is given a snapshot rather than a log that is larger than this. */
  readonly joinLogBytes: number;
  readonly writeTimeoutMs: number;
  /** How often laggards, timeouts and a lapsed lease are looked for. */
  readonly tickMs: number;
}

export const defaultStorageLimits: StorageLimits = {
  ...defaultProgressLimits,
  ...defaultSnapshotLimits,
  ...defaultIndexBuildLimits,
  segmentBytes: 16 * 1024 * 1024,
  recentBytes: 16 * 1024 * 1024,
  pullBytes: 1024 * 1024,
  joinLogBytes: 64 * 1024 * 1024,
  writeTimeoutMs: 10_000,
  tickMs: 50,
  moveRowsMs: 20,
  moveRowsSliceMs: 4,
};
