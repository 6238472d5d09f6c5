import { setTimeout as delay } from 'node:timers/promises';

/** Time, as services see it. Core code gets `nowMs` as an argument instead. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. Every timeout is measured on it. */
  monotonicMs(): number;
  /** For people to read, in logs and status. Never compare it with anything. */
  wallTime(): Date;
  /** Resolves after `delayMs`; rejects with the signal's reason if that aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallTime: () => new Date(),
  async sleep(delayMs, signal) {
    try {
      await delay(Math.max(0, delayMs), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? (signal.reason as Error) : error;
    }
  },
};
