/**
 * Makes an instance lay its rows aside and get a copy from its leader, without making any row rarer than promised.
 *
 * A write was acknowledged because all in-sync members have it. So before a member loses its rows its leader has to
 * take it out of them, as it would a laggard, and it asks for no rows any more, so that no later leader takes it in.
 * A list of members that it remembers itself would not do: they may be losing their rows just now, too.
 */
import type { Seat } from '../contract/provider-records.ts';
import { ClusterError } from '../core/errors.ts';
import { leaveAnswerSchema } from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { Peers } from '../ports/peers.ts';
import type { StorageCopies } from './storage-copies.ts';

export interface ReseedOptions {
  readonly replicaSetUuid: string;
  readonly seat: Seat;
  readonly copies: StorageCopies;
  readonly leadership: LeadershipPort;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly addressOf: (uuid: string) => string | undefined;
}

const LEAVE_LIMIT_MS = 10_000;
const LEAVE_EVERY_MS = 100;
const LEAVE_TIMEOUT_MS = 1000;

/**
 * Ends the process when it succeeds; refused on a leader, and when no leader confirms that it can do without this
 * instance, unless it is forced: then rows that only it has are lost to the replica set.
 */
export async function reseedInstance(
  options: ReseedOptions,
  { force }: { readonly force: boolean },
): Promise<void> {
  const { copies, leadership } = options;
  if (leadership.current().kind === 'leader') {
    throw new ClusterError('STATE_FORBIDS', {
      message: 'This instance leads its replica set. Promote another one first, then repeat it.',
    });
  }
  copies.setLeaving(true);
  if (!force && !(await leave(options))) {
    copies.setLeaving(false);
    throw new ClusterError('STATE_FORBIDS', {
      message:
        'No leader has confirmed that it can do without the rows of this instance. Repeat it when ' +
        'the replica set has a leader, or force it if these rows are not needed.',
    });
  }
  await copies.reseed('that was asked for');
}

async function leave(options: ReseedOptions): Promise<boolean> {
  const { clock, leadership } = options;
  const untilMs = clock.monotonicMs() + LEAVE_LIMIT_MS;
  while (clock.monotonicMs() < untilMs) {
    if (await tellLeader(options)) return leadership.current().kind !== 'leader';
    await clock.sleep(LEAVE_EVERY_MS);
  }
  return false;
}

async function tellLeader(options: ReseedOptions): Promise<boolean> {
  const { copies, leadership, peers, addressOf, replicaSetUuid, seat } = options;
  const current = leadership.current();
  const address = current.kind === 'follower' ? addressOf(current.leader) : undefined;
  if (address === undefined) return false;
  const body = { replicaSetUuid, term: current.term, seat, session: copies.session };
  try {
    const answer = await peers.call(address, 'replication.leave', body, {
      timeoutMs: LEAVE_TIMEOUT_MS,
    });
    return leaveAnswerSchema.parse(answer).hasLeft;
  } catch {
    // A leader that is away, or is none: the next try may find another one.
    return false;
  }
}
