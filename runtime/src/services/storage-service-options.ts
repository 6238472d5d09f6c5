import type { Position } from '../contract/instance-status.ts';
import type { Seat } from '../contract/provider-records.ts';
import type { RequiredSeats } from '../core/replication/leader-progress.ts';
import type { PromiseAnswer } from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { RowDatabase } from '../ports/row-database.ts';
import type { LogMode } from './replica-log.ts';
import type { StorageLimits } from './storage-limits.ts';

export interface StorageServiceOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: {
    readonly uuid: string;
    readonly logIncarnation: number;
    /** How often it was started. */
    readonly incarnation?: number;
  };
  readonly replicaSetUuid: string;
  readonly leadership: LeadershipPort;
  readonly logMode: LogMode;
  readonly limits?: Partial<StorageLimits>;
  /** The disk failed or a bug was met: the process must end, what was under way is unknown. */
  readonly fatal: (error: unknown) => void;
  /** How much rows and indexes may take. Left out: no limit. */
  readonly memoryBytes?: number | undefined;
  /** For spaces of engine `disk`. Left out: there are none. */
  readonly rowDatabase?: RowDatabase | undefined;
  /** Calls it once what is under way in this tick has ended. Left out: as soon as that is so. */
  readonly defer?: (flush: () => void) => void;
  /** Which seats must have a row before it is acknowledged; only tests give another rule. */
  readonly required?: RequiredSeats;
  /** Does this instance still belong to the replica set? Left out: nobody ever leaves. */
  readonly isMember?: (uuid: string) => boolean;
  /** The enabled instances of the replica set, of which a majority is one. Left out: this one. */
  readonly instances?: () => readonly string[];
}

interface CallOptions {
  readonly timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** The write is acknowledged as soon as the own log has it, whatever its spaces say. */
  readonly ack?: 'local' | undefined;
}

export interface ReadOptions extends CallOptions {
  /**
   * `acknowledged`: only on a writable leader, and answered when all that was read is acknowledged.
   * `local`: what is here now. Left out: `acknowledged` on a leader, `local` elsewhere.
   */
  readonly consistency?: 'acknowledged' | 'local';
}

export interface StorageReport extends PromiseAnswer {
  readonly acknowledged: Position;
  readonly inSync: { readonly term: number; readonly seats: readonly Seat[] };
  readonly isWritable: boolean;
  readonly seenTerm: number;
}
