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
  readonly pullBytes: number;
}

/** A seat whose last question is older does not look alive: so no pull waits for longer. */
const LONGEST_WAIT_MS = 1000;

export async function answerPull(request: PullRequest, sources: PullSources): Promise<PullAnswer> {
  const { store, leader, leadership, clock, pullBytes } = sources;
  const { promisedTerm } = store.promise;
  if (request.term < promisedTerm) {
    throw new ClusterError('STALE_TERM', {
      message: `Term ${promisedTerm} has been promised here; ${request.term} is over.`,
      details: { promisedTerm },
    });
  }
  if (leader === undefined || leader.ended || leader.term !== request.term) {
    throw new ClusterError('NOT_LEADER', {
      message: `This instance does not lead in term ${request.term}.`,
    });
  }
  const match = matchPosition(store.history, request.position);
  if (match.kind === 'shared') {
    leader.pulled(request.seat, request.position.sequence);
    if (store.end.sequence === request.position.sequence) {
      await store.waitForRows(clock, Math.min(request.waitMs, LONGEST_WAIT_MS));
    }
  }
  const current = leadership.current();
  const common = {
    term: leader.term,
    acknowledged: store.history.at(leader.acknowledged),
    inSync: current.kind === 'leader' && current.term === leader.term ? [...current.inSync] : [],
  };
  if (match.kind === 'conflict') return { kind: 'conflict', ...common, hint: match.hint };
  const batches = await store.behind(request.position.sequence, pullBytes);
  return { kind: 'rows', ...common, batches: [...batches] };
}
