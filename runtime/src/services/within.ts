import type { Clock } from '../foundation/clock.ts';

/** Waits for `work`, but no longer than `limitMs`; false when it was late. What it throws in time is passed on. */
export async function within(
  clock: Clock,
  limitMs: number,
  work: Promise<unknown>,
): Promise<boolean> {
  const ended = new AbortController();
  const late = clock.sleep(limitMs, ended.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    ended.abort();
  }
}
