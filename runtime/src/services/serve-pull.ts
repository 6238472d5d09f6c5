/** The leader's answer to a follower that asks for rows. */
import { ClusterError } from '../core/errors.ts';
import { matchPosition } from '../core/replication/log-matching.ts';
import type { PullAnswer, PullRequest } from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { LeaderTerm } from './leader-term.ts';
import type { ReplicaStore } from './replica-store.ts';

export interface PullSources {
  readonly store: ReplicaStore;
  readonly leader: LeaderTerm | undefined;
  readonly leadership: LeadershipPort;
  readonly clock: Clock;
  readonly limits: {
    readonly pullBytes: number;
    /** An instance without rows is given a snapshot rather than a log that is larger than this. */
    readonly joinLogBytes: number;
  };
}

/** A seat whose last question is older does not look alive: so no pull waits for longer. */
const LONGEST_WAIT_MS = 1000;

export async function answerPull(request: PullRequest, sources: PullSources): Promise<PullAnswer> {
  const { store, leadership, clock, limits } = sources;
  const leader = requireLeader(request.term, sources);
  const match = matchPosition(store.history, request.position);
  if (match.kind === 'shared' && request.isIncomplete !== true) {
    leader.pulled(request.seat, request.position.sequence, request.session ?? 0);
  }
  if (match.kind === 'shared' && store.end.sequence === request.position.sequence) {
    await store.rowSignal.wait(clock, Math.min(request.waitMs, LONGEST_WAIT_MS));
  }
  const current = leadership.current();
  const common = {
    term: leader.term,
    acknowledged: store.history.at(leader.acknowledged),
    inSync: current.kind === 'leader' && current.term === leader.term ? [...current.inSync] : [],
  };
  if (match.kind === 'conflict') return { kind: 'conflict', ...common, hint: match.hint };
  const { sequence } = request.position;
  if (sequence === 0 && isBetterJoined(leader, store, limits)) return { kind: 'join', ...common };
  const batches = await store.log.behind(sequence, limits.pullBytes);
  if (batches === undefined) return { kind: 'join', ...common };
  return { kind: 'rows', ...common, batches: [...batches] };
}

/** The first snapshot may have to wait for the very majority that a follower without rows would make. */
function isBetterJoined(
  leader: LeaderTerm,
  store: ReplicaStore,
  { joinLogBytes }: PullSources['limits'],
): boolean {
  if (store.log.bytes <= joinLogBytes) return false;
  return store.snapshots.newest !== undefined || !leader.lacksMajority;
}

/** The leader of this term, and of no other. */
export function requireLeader(
  term: number,
  { store, leader }: Pick<PullSources, 'store' | 'leader'>,
): LeaderTerm {
  const { promisedTerm } = store.promise;
  if (term < promisedTerm) {
    throw new ClusterError('STALE_TERM', {
      message: `Term ${promisedTerm} has been promised here; ${term} is over.`,
      details: { promisedTerm },
    });
  }
  if (leader === undefined || leader.ended || leader.term !== term) {
    throw new ClusterError('NOT_LEADER', {
      message: `This instance does not lead in term ${term}.`,
    });
  }
  return leader;
}
