/** Bugs planted in mode `raft`: each breaks one rule of the election, at a port of the process. */
import type { Position } from '../../runtime/src/contract/instance-status.ts';
import type { VoteRequest } from '../../runtime/src/core/failover/raft-election.ts';
import type { PullAnswer, PullRequest } from '../../runtime/src/core/replication/messages.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';
import { forgetful } from './cluster-bug-ports.ts';
import type { ClusterBug, PlantedProcess, Planting } from './cluster-bugs.ts';
import { type ClusterFocus, raftFocuses } from './cluster-focuses.ts';
import { logOf } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';

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
  {
    name: 'commits-older-term',
    rule: 'rows of an older term are acknowledged only with one of the own term, however many have them',
    ...{ from: 1, finding: /without the acknowledged row|misses acknowledged rows/ },
    ...inFocus('raft-crossed'),
    plant: ({ clock, machine }: PlantedProcess): Planting => {
      const counting = new CountsOlderTerms(clock, machine);
      return { handlers: (handlers) => counting.handlers(handlers) };
    },
  },
];

const OWN_ROWS_LATE_MS = 1000;

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

/**
 * The leader calls acknowledged whatever a majority has, of whatever term; and its own term's rows come late, so that it
 * matters.
 */
class CountsOlderTerms {
  readonly #clock: Clock;
  readonly #machine: Machine;
  readonly #held = new Map<string, number>();
  #term = 0;
  #sinceMs = 0;

  constructor(clock: Clock, machine: Machine) {
    this.#clock = clock;
    this.#machine = machine;
  }

  handlers(handlers: InternalHandlers): InternalHandlers {
    const pull = handlers.get('replication.pull');
    if (pull === undefined) return handlers;
    const changed = async (body: unknown): Promise<unknown> =>
      this.#answer(body as PullRequest, (await pull(body)) as PullAnswer);
    return new Map([...handlers, ['replication.pull', changed]]);
  }

  #answer({ seat, position }: PullRequest, answer: PullAnswer): PullAnswer {
    if (answer.kind !== 'rows') return answer;
    if (answer.term !== this.#term) {
      this.#term = answer.term;
      this.#sinceMs = this.#clock.monotonicMs();
      this.#held.clear();
    }
    this.#held.set(seat.uuid, position.sequence);
    const isYoung = this.#clock.monotonicMs() - this.#sinceMs < OWN_ROWS_LATE_MS;
    const batches = answer.batches.filter(({ term }) => !isYoung || term < answer.term);
    return { ...answer, batches, acknowledged: this.#counted() ?? answer.acknowledged };
  }

  /** One follower and the leader itself are a majority of three. */
  #counted(): Position | undefined {
    const log = logOf(this.#machine.disk);
    const sequence = Math.max(...this.#held.values());
    const batch = log.findLast(({ firstSequence }) => firstSequence <= sequence);
    return batch && { term: batch.term, sequence };
  }
}
