/** Long work of the main loop in slices, so that requests, heartbeats and leases never wait for long. */
import type { Clock } from '../foundation/clock.ts';

export interface SliceOptions {
  readonly clock: Clock;
  /** How long it works without a pause. */
  readonly sliceMs: number;
  /** Of a pause, compared with the work before it. 1: others get half of the time. */
  readonly pauseRatio: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls `step` until it says that nothing is left. A step should take much less time than a slice. */
export async function inSlices(step: () => boolean, options: SliceOptions): Promise<void> {
  const { clock, sliceMs, pauseRatio, signal } = options;
  for (;;) {
    const beganMs = clock.monotonicMs();
    for (;;) {
      if (!step()) return;
      if (clock.monotonicMs() - beganMs >= sliceMs) break;
    }
    await clock.sleep(pauseRatio * (clock.monotonicMs() - beganMs), signal);
  }
}
