/** Moves acknowledged rows of disk spaces to the disk, some milliseconds at a time, and removes what was dropped. */
import type { Clock } from '../foundation/clock.ts';
import type { ReplicaStore } from './replica-store.ts';

export interface MoveRowsLimits {
  /** How often acknowledged rows of disk spaces are moved to the disk … */
  readonly moveRowsMs: number;
  /** … and for how long at a time. */
  readonly moveRowsSliceMs: number;
}

export interface MoveDiskRowsOptions {
  readonly store: ReplicaStore;
  readonly clock: Clock;
  readonly limits: MoveRowsLimits;
  /** Only rows up to here are moved: they are never taken back. */
  readonly acknowledged: () => number;
}

export async function moveDiskRows(
  { store, clock, limits, acknowledged }: MoveDiskRowsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { moveRowsMs, moveRowsSliceMs } = limits;
  for (let hasMore = false; ; ) {
    await clock.sleep(hasMore ? moveRowsSliceMs : moveRowsMs, signal);
    if (store.hasFailed) return;
    // Rows that are being loaded must not move: their indexes are made of what is in memory.
    hasMore = false;
    if (!store.isComplete) continue;
    const untilMs = clock.monotonicMs() + moveRowsSliceMs;
    const isEnough = (): boolean => clock.monotonicMs() >= untilMs;
    try {
      hasMore = store.engine.disk?.flush(acknowledged(), isEnough) ?? false;
      if (!hasMore) store.engine.disk?.collectGarbage();
    } catch (error) {
      store.fail(error);
      return;
    }
  }
}
