/** What a leader in mode `eventual` says of what it does not promise. */
import type { Issue } from '../contract/instance-status.ts';
import { type EventualMember, FENCED_FROM } from '../core/failover/eventual-leader.ts';

export interface EventualLeaderState {
  readonly isFenced: boolean;
  readonly fences: boolean;
  readonly members: readonly EventualMember[];
}

const LOCAL =
  'With failover mode eventual a write is acknowledged by the leader alone, and two instances may lead for a while: rows can be lost. Use mode stateful or raft where that matters.';
const FENCED =
  'This leader sees no majority of its replica set and accepts no writes until it does (fencing).';

export function eventualIssues(state: EventualLeaderState): readonly Issue[] {
  const issues = [issue('warning', LOCAL)];
  if (state.isFenced) issues.push(issue('critical', FENCED));
  const enabled = state.members.filter(({ disabled }) => !disabled).length;
  if (state.fences && enabled < FENCED_FROM) {
    const message = `Fencing is enabled, but has no effect in this replica set: it has ${enabled} enabled instances, and needs ${FENCED_FROM}.`;
    issues.push(issue('warning', message));
  }
  return issues;
}

function issue(level: Issue['level'], message: string): Issue {
  return { level, topic: 'failover', message };
}
