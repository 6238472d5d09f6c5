import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';

/** Time, as services see it. Core code gets `nowMs` as an argument instead. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. Every timeout is measured on it. */
  monotonicMs(): number;
  /** For people to read, in logs and status. Never compare it with anything. */
  wallTime(): Date;
  /**
   * Resolves after `delayMs`; rejects with the signal's reason if that aborts first. 0 waits for no time: all that is
   * due by now gets its turn before.
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallTime: () => new Date(),
  async sleep(delayMs, signal) {
    const options = signal === undefined ? {} : { signal };
    try {
      // The shortest timer takes a whole millisecond.
      if (delayMs <= 0) await nextTurn(undefined, options);
      else await delay(delayMs, undefined, options);
    } catch (error) {
      throw signal?.aborted === true ? (signal.reason as Error) : error;
    }
  },
};
