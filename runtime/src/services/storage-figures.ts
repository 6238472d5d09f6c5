/** The storage of an instance in numbers, for people and for monitoring. */
import type { Position } from '../contract/instance-status.ts';
import type { FollowerProgress } from '../core/replication/leader-progress.ts';
import type { LeaderTerm } from './leader-term.ts';
import type { ReplicaStore } from './replica-store.ts';

export interface StorageFigures {
  readonly memoryUsedBytes: number;
  /** Infinity where there is no limit. */
  readonly memoryLimitBytes: number;
  readonly isWritable: boolean;
  readonly position: Position;
  /** The last row that survives a crash of the machine, as far as is known. */
  readonly syncedSequence: number;
  readonly acknowledged: Position;
  /** Is this instance among the in-sync members, for all it knows? */
  readonly isInSync: boolean;
  /** Of a leader; empty elsewhere. */
  readonly followers: readonly FollowerProgress[];
  /** Rows in `lost/`. */
  readonly lostRows: number;
}

export function storageFigures(
  store: ReplicaStore,
  leader: LeaderTerm | undefined,
  rest: Pick<StorageFigures, 'isWritable' | 'acknowledged' | 'isInSync'>,
): StorageFigures {
  const { usedBytes, limitBytes } = store.engine.memory.budget;
  return {
    ...rest,
    memoryUsedBytes: usedBytes,
    memoryLimitBytes: limitBytes,
    position: store.end,
    syncedSequence: store.log.syncedSequence,
    followers: leader?.followers() ?? [],
    lostRows: store.lost.count,
  };
}
