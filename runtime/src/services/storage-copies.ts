/**
 * How the rows of an instance come to other places and back: pulls and snapshots for followers, joining a leader, and
 * laying all rows aside to join anew.
 */
import type { Issue } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import type {
  PullAnswer,
  PullRequest,
  SnapshotAnswer,
  SnapshotRequest,
} from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { LeaderTerm } from './leader-term.ts';
import { ReplicaSnapshots } from './replica-snapshots.ts';
import type { ReplicaStore } from './replica-store.ts';
import { answerSnapshot } from './serve-join.ts';
import { answerPull, type PullSources } from './serve-pull.ts';
import type { SnapshotInfo } from './snapshot-files.ts';
import { downloadSnapshot, type FetchPiece } from './snapshot-join.ts';
import type { StorageLimits } from './storage-limits.ts';

export interface StorageCopiesOptions {
  readonly uuid: string;
  readonly store: ReplicaStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leadership: LeadershipPort;
  readonly limits: StorageLimits;
  readonly leader: () => LeaderTerm | undefined;
  /** The last row that is known to be on all in-sync members. */
  readonly acknowledged: () => number;
}

export class StorageCopies {
  readonly #options: StorageCopiesOptions;
  readonly #snapshots: ReplicaSnapshots;

  constructor(options: StorageCopiesOptions) {
    this.#options = options;
    const slowestFollower = (): number | undefined => options.leader()?.slowest;
    this.#snapshots = new ReplicaSnapshots({ ...options, slowestFollower });
  }

  /** Takes snapshots when they are due, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#snapshots.run(signal);
  }

  issues(): readonly Issue[] {
    return this.#snapshots.issues();
  }

  answerPull(request: PullRequest): Promise<PullAnswer> {
    return answerPull(request, this.#sources());
  }

  answerSnapshot(request: SnapshotRequest): Promise<SnapshotAnswer> {
    const { disk } = this.#options;
    const sources = { ...this.#sources(), disk, replicaSnapshots: this.#snapshots };
    return answerSnapshot(request, sources);
  }

  /** Takes a snapshot now; undefined when rows were taken back meanwhile. */
  snapshot(signal: AbortSignal): Promise<SnapshotInfo | undefined> {
    return this.#snapshots.take('it was asked for', signal);
  }

  /** After the answer `join`: takes the leader's snapshot in the place of all rows; false when it did not come to that. */
  async join(request: PullRequest, fetchPiece: FetchPiece): Promise<boolean> {
    const { disk, store } = this.#options;
    const joined = await downloadSnapshot(disk, fetchPiece);
    return joined !== undefined && store.join(request.position, request.term, joined);
  }

  /**
   * Lays all rows aside and ends the process: after its next start this instance gets a copy from its leader.
   * Refused where the rows may be the only ones, which `force` overrides, and always on the leader.
   */
  async reseed(options: { readonly force: boolean }): Promise<never> {
    const { uuid, store, leadership } = this.#options;
    if (leadership.current().kind === 'leader') {
      throw new ClusterError('STATE_FORBIDS', {
        message: 'This instance leads its replica set. Promote another one first, then repeat it.',
      });
    }
    if (!options.force && !store.promise.inSync.seats.some((seat) => seat.uuid !== uuid)) {
      throw new ClusterError('STATE_FORBIDS', {
        message:
          'No other instance is known to have all rows. Wait until one is in sync, or force it ' +
          'if the rows of this instance are not needed.',
      });
    }
    return store.reseed('that was asked for');
  }

  #sources(): PullSources {
    const { store, leadership, clock, limits } = this.#options;
    return { store, leader: this.#options.leader(), leadership, clock, limits };
  }
}
