/** What a follower asks its leader for. */
import type { Seat } from '../contract/provider-records.ts';
import type { PullRequest } from '../core/replication/messages.ts';
import type { ReplicaStore } from './replica-store.ts';

interface Follower {
  readonly replicaSetUuid: string;
  readonly seat: Seat;
}

/** In the term that it has promised; undefined when it may not follow in that, or leads itself. */
export function buildPullRequest(
  store: ReplicaStore,
  follower: Follower,
  waitMs: number,
): PullRequest | undefined {
  const { promisedTerm: term } = store.promise;
  const position = store.probe(term);
  if (position === undefined) return undefined;
  const { replicaSetUuid, seat } = follower;
  const request = { replicaSetUuid, seat, term, session: store.session, position, waitMs };
  return store.isComplete ? request : { ...request, isIncomplete: true };
}

/** The one after `request`, whose rows are in the log by now and may not be in the engine yet. */
export function buildNextRequest(
  store: ReplicaStore,
  follower: Follower,
  { term, waitMs }: PullRequest,
): PullRequest | undefined {
  const next = buildPullRequest(store, follower, waitMs);
  // The end of a join makes rows count, and it comes only after they are in the engine.
  return next?.term === term && next.isIncomplete !== true ? next : undefined;
}
