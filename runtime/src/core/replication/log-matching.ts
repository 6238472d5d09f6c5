/**
 * Where a follower's log stops being a beginning of its leader's.
 *
 * The follower names a position; a leader that has it sends what comes behind it, any other answers with the last
 * own position that could be shared. Both sides go down to what is not above in term and sequence, so each round is
 * strictly lower and the search ends, at the last row that both have. Nothing is cut before the leader has confirmed
 * a position.
 */
import type { Position } from '../../contract/instance-status.ts';
import type { TermHistory } from './term-history.ts';

export type Match =
  | { readonly kind: 'shared' }
  | { readonly kind: 'conflict'; readonly hint: Position };

/** The leader's side. */
export function matchPosition(leader: TermHistory, position: Position): Match {
  if (leader.has(position)) return { kind: 'shared' };
  return { kind: 'conflict', hint: leader.lastNotAbove(position) };
}

/** The follower's side: which position it names next. */
export function nextProbe(follower: TermHistory, hint: Position): Position {
  return follower.lastNotAbove(hint);
}

/** Rows of one term, as they come from a leader. */
interface ReceivedRows {
  readonly term: number;
  readonly firstSequence: number;
  readonly rowCount: number;
}

/** Do the batches follow `position` without a gap, in terms that have been? */
export function continuesLog(
  position: Position,
  term: number,
  batches: readonly ReceivedRows[],
): boolean {
  let { sequence, term: lastTerm } = position;
  for (const batch of batches) {
    if (batch.firstSequence !== sequence + 1 || batch.term < lastTerm || batch.term > term) {
      return false;
    }
    sequence += batch.rowCount;
    lastTerm = batch.term;
  }
  return true;
}
