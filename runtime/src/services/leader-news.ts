/**
 * Answers routers that hold calls: whether this instance takes them now, or who leads in a higher term than they know.
 * A question waits here until there is such an answer, so that a router hears of a new leader without asking again.
 */
import { z } from 'zod';
import type { Clock } from '../foundation/clock.ts';
import type { InternalHandler } from '../ports/peers.ts';
import type { KnownLeader } from './leadership-engine.ts';

export interface LeaderNewsOptions {
  readonly clock: Clock;
  readonly takesCalls: (replicaSetUuid: string) => boolean;
  readonly leaderOf: (replicaSetUuid: string) => KnownLeader | undefined;
}

const questionSchema = z.object({
  replicaSetUuid: z.string(),
  /** In which whoever asks knows a leader. */
  term: z.int(),
  waitMs: z.number().min(0),
});

interface Answer {
  readonly takesCalls: boolean;
  readonly leader: KnownLeader | null;
}

const WAIT_MS_MAX = 1000;

export class LeaderNews {
  readonly #options: LeaderNewsOptions;
  readonly #waiting = new Set<AbortController>();

  constructor(options: LeaderNewsOptions) {
    this.#options = options;
  }

  /** What was answered before may not hold any more. */
  notify(): void {
    for (const waiting of this.#waiting) waiting.abort();
    this.#waiting.clear();
  }

  readonly handle: InternalHandler = async (body) => {
    const { replicaSetUuid, term, waitMs } = questionSchema.parse(body);
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + Math.min(waitMs, WAIT_MS_MAX);
    for (;;) {
      const answer = this.#answer(replicaSetUuid);
      const leftMs = untilMs - clock.monotonicMs();
      const isNews = answer.takesCalls || (answer.leader !== null && answer.leader.term > term);
      if (isNews || leftMs <= 0) return answer;
      await this.#wait(leftMs);
    }
  };

  #answer(replicaSetUuid: string): Answer {
    const { takesCalls, leaderOf } = this.#options;
    return { takesCalls: takesCalls(replicaSetUuid), leader: leaderOf(replicaSetUuid) ?? null };
  }

  async #wait(limitMs: number): Promise<void> {
    const ended = new AbortController();
    this.#waiting.add(ended);
    await this.#options.clock.sleep(limitMs, ended.signal).catch(() => undefined);
    this.#waiting.delete(ended);
  }
}
