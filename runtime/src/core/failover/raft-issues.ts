import type { Issue } from '../../contract/instance-status.ts';

export interface RaftTrouble {
  /** The enabled instances of the replica set. */
  readonly voters: readonly string[];
  /** Those that did not answer in the election that is under way; undefined while a leader is known. */
  readonly silent: readonly string[] | undefined;
  /** Elected by all, because a majority was not known to have whole logs, and an end was lost. */
  readonly termAfterLoss: number | undefined;
}

export function raftIssues({ voters, silent, termAfterLoss }: RaftTrouble): readonly Issue[] {
  const issues: Issue[] = [];
  if (silent !== undefined) {
    const who = silent.length > 0 ? ` ${silent.join(', ')} did not answer.` : '';
    const message =
      `No leader could be elected.${who} It takes a majority of the ${voters.length} enabled instances; all of them, as ` +
      'long as a majority has not been caught up under a leader of mode "raft". Start those that are missing, or disable them.';
    issues.push({ level: 'critical', topic: 'failover', message });
  }
  if (termAfterLoss !== undefined) {
    const message =
      `Before term ${termAfterLoss} too many instances had lost the end of their logs. The longest log leads; writes of ` +
      'the last moments before may be missing.';
    issues.push({ level: 'critical', topic: 'failover', message });
  }
  return issues;
}
