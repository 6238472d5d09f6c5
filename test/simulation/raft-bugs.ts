/** Bugs planted in mode `raft`: each breaks one rule of the election, at a port of the process. */
import type { VoteRequest } from '../../runtime/src/core/failover/raft-election.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';

export type RaftBug = 'forgetful-vote' | 'votes-for-shorter-log' | 'raft-deadline-from-answer';

/** Every candidate claims to have the longest log. */
export function longestLog(peers: Peers): Peers {
  return {
    call: (address, method, body, options) => {
      if (method !== 'leadership.vote') return peers.call(address, method, body, options);
      const position = { term: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER };
      return peers.call(address, method, { ...(body as VoteRequest), position }, options);
    },
  };
}

/** The leader counts on its voters from the moment of their answers; and most of these take long, so that it matters. */
export class RaftDeadlineFromAnswer {
  readonly #clock: Clock;
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #term = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  peers(peers: Peers): Peers {
    return {
      call: async (address, method, body, options) => {
        const answer = await peers.call(address, method, body, options);
        if (method !== 'leadership.heartbeat') return answer;
        const { quietMs, term } = body as { readonly quietMs: number; readonly term: number };
        // Not the first ones: a new leader would be writable only when the old one is not.
        if (term === this.#term) await this.#clock.sleep(quietMs / 2);
        this.#term = term;
        const { isHeard } = answer as { readonly isHeard: boolean };
        if (isHeard) this.#deadlineMs = this.#clock.monotonicMs() + quietMs;
        return answer;
      },
    };
  }

  leadership(port: LeadershipPort): LeadershipPort {
    return {
      current: () => {
        const current = port.current();
        return current.kind === 'leader' ? { ...current, deadlineMs: this.#deadlineMs } : current;
      },
      onChange: (listener) => port.onChange(listener),
      proposeInSync: (seats, reason) => port.proposeInSync(seats, reason),
    };
  }
}
