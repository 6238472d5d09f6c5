/** Bugs planted in mode `raft`: each breaks one rule of the election, at a port of the process. */
import type { VoteRequest } from '../../runtime/src/core/failover/raft-election.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import { forgetful } from './cluster-bug-ports.ts';
import type { ClusterBug, PlantedProcess, Planting } from './cluster-bugs.ts';
import { type ClusterFocus, raftFocuses } from './cluster-focuses.ts';

function inFocus(name: string): { readonly focus: ClusterFocus } {
  const focus = raftFocuses.find((other) => other.name === name);
  if (focus === undefined) throw new Error(`There is no focus "${name}".`);
  return { focus };
}

export const raftBugs: readonly ClusterBug[] = [
  {
    name: 'forgetful-vote',
    rule: 'a vote is on the disk before it is given',
    ...{ from: 1, finding: /before that was stored|voted twice/ },
    ...inFocus('raft'),
    plant: ({ clock }) => ({ disk: (disk) => forgetful(disk, clock, 'raft.json') }),
  },
  {
    name: 'votes-for-shorter-log',
    rule: 'nobody votes for a log that is shorter than its own',
    ...{ from: 4, finding: /misses acknowledged rows|longer log|acknowledged row/ },
    ...inFocus('raft'),
    plant: () => ({ peers: longestLog }),
  },
  {
    name: 'raft-deadline-from-answer',
    rule: 'a leader counts on its voters from the moment of sending',
    ...{ from: 20, finding: /two are writable/ },
    ...inFocus('raft-cuts'),
    plant: ({ clock }: PlantedProcess): Planting => {
      const deadlines = new RaftDeadlineFromAnswer(clock);
      return {
        peers: (peers) => deadlines.peers(peers),
        leadership: (port) => deadlines.leadership(port),
      };
    },
  },
];

/** Every candidate claims to have the longest log. */
function longestLog(peers: Peers): Peers {
  return {
    call: (address, method, body, options) => {
      if (method !== 'leadership.vote') return peers.call(address, method, body, options);
      const position = { term: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER };
      return peers.call(address, method, { ...(body as VoteRequest), position }, options);
    },
  };
}

/** The leader counts on its voters from the moment of their answers; and most of these take long, so that it matters. */
class RaftDeadlineFromAnswer {
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
