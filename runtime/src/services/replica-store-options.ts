import type { Position } from '../contract/instance-status.ts';
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { RowDatabase } from '../ports/row-database.ts';
import type { IndexBuildLimits } from './index-builds.ts';
import type { LogMode } from './replica-log.ts';

/** What engine and log of an instance are made of. */
export interface ReplicaStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly logMode: LogMode;
  readonly identity: { readonly logIncarnation: number; readonly incarnation?: number };
  readonly limits: IndexBuildLimits & {
    readonly segmentBytes: number;
    readonly recentBytes: number;
  };
  readonly createEngine: () => MemoryEngine;
  /** What the engines that are made keep rows of disk spaces in. */
  readonly rowDatabase?: RowDatabase | undefined;
  /** Calls it once what is under way in this tick has ended. */
  readonly defer: (flush: () => void) => void;
  /** Called after own rows have been appended. */
  readonly onAppended: (end: Position) => void;
  readonly fatal: (error: unknown) => void;
}
