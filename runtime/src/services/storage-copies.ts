/**
 * How the rows of an instance come to other places and back: pulls and snapshots for followers, joining a leader,
 * laying all rows aside to join anew; and what leaves memory beside requests.
 */
import type { Issue } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import {
  type LeaveAnswer,
  leaveRequestSchema,
  type PullAnswer,
  type PullRequest,
  type SnapshotAnswer,
  snapshotRequestSchema,
} from '../core/replication/messages.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Disk } from '../ports/disk.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { InternalHandler, InternalHandlers } from '../ports/peers.ts';
import { freeMemory } from './engine-slices.ts';
import type { LeaderTerm } from './leader-term.ts';
import { moveDiskRows } from './move-disk-rows.ts';
import { ReplicaSnapshots } from './replica-snapshots.ts';
import type { ReplicaStore } from './replica-store.ts';
import { answerSnapshot } from './serve-join.ts';
import { answerPull, type PullSources, requireLeader } from './serve-pull.ts';
import type { SnapshotInfo } from './snapshot-files.ts';
import { downloadSnapshot, type FetchPiece, type JoinedSnapshot } from './snapshot-join.ts';
import { JOIN_FOLDER } from './snapshot-switch.ts';
import type { StorageLimits } from './storage-limits.ts';

export interface StorageCopiesOptions {
  readonly replicaSetUuid: string;
  readonly store: ReplicaStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leadership: LeadershipPort;
  readonly limits: StorageLimits;
  readonly leader: () => LeaderTerm | undefined;
  /** The last row that is known to be on all in-sync members. */
  readonly acknowledged: () => number;
  /** Called when other rows have come in the place of all. */
  readonly onJoined: () => void;
}

/** A follower may hear of an appointment before its term has begun here: so long it waits for its rows. */
const BEGIN_MS = 500;

export class StorageCopies {
  readonly #options: StorageCopiesOptions;
  readonly #snapshots: ReplicaSnapshots;
  #joinFailure: string | undefined;

  constructor(options: StorageCopiesOptions) {
    this.#options = options;
    const slowestFollower = (): number | undefined => options.leader()?.slowest;
    this.#snapshots = new ReplicaSnapshots({ ...options, slowestFollower });
  }

  /** Takes snapshots when they are due, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#snapshots.run(signal);
  }

  /** Moves acknowledged rows of disk spaces there, until the signal aborts. */
  moveRows(signal: AbortSignal): Promise<void> {
    return moveDiskRows(this.#options, signal);
  }

  /** Frees what was dropped, until the signal aborts. */
  freeMemory(signal: AbortSignal): Promise<void> {
    return freeMemory(() => this.#options.store.engine, this.#options, signal);
  }

  issues(): readonly Issue[] {
    const issues = this.#snapshots.issues();
    if (this.#joinFailure === undefined) return issues;
    const message =
      `The snapshot of the leader could not be stored: ${this.#joinFailure}. Without it this ` +
      'instance cannot get its rows. Look for room on the disk; it is tried again.';
    return [...issues, { level: 'warning', topic: 'join-failed', message }];
  }

  /** Whoever asks for rows of a term that is about to begin here hears of it when it has begun. */
  async answerPull(request: PullRequest): Promise<PullAnswer> {
    const { store, clock, leader } = this.#options;
    const isAhead = (leader()?.term ?? 0) < request.term;
    if (isAhead) await store.rowSignal.wait(clock, Math.min(request.waitMs, BEGIN_MS));
    return answerPull(request, this.#sources());
  }

  handlers(): InternalHandlers {
    return new Map<string, InternalHandler>([
      ['replication.snapshot', (body) => this.#onSnapshot(body)],
      ['replication.leave', (body) => this.#onLeave(body)],
    ]);
  }

  /** Takes a snapshot now; undefined when rows were taken back meanwhile. */
  snapshot(signal: AbortSignal): Promise<SnapshotInfo | undefined> {
    return this.#snapshots.take('it was asked for', signal);
  }

  /** After the answer `join`: takes the leader's snapshot in the place of all rows; false when it did not come to that. */
  async join(request: PullRequest, fetchPiece: FetchPiece): Promise<boolean> {
    const joined = await this.#download(fetchPiece);
    if (joined === undefined) return false;
    const hasJoined = await this.#options.store.join(request.position, request.term, joined);
    if (hasJoined) this.#options.onJoined();
    return hasJoined;
  }

  /** Asks for no more rows, so that no leader counts on what is here; or asks again. */
  setLeaving(isLeaving: boolean): void {
    this.#options.store.setLeaving(isLeaving);
  }

  /** False after a join, until the rows that were written meanwhile have come. */
  get isComplete(): boolean {
    return this.#options.store.isComplete;
  }

  get session(): number {
    return this.#options.store.session;
  }

  /** Lays all rows aside and ends the process: after its next start this instance gets a copy from its leader. */
  reseed(reason: string): Promise<void> {
    return this.#options.store.reseed(reason);
  }

  async #onSnapshot(body: unknown): Promise<SnapshotAnswer> {
    const { disk, replicaSetUuid } = this.#options;
    const request = snapshotRequestSchema.parse(body);
    requireReplicaSet(replicaSetUuid, request);
    const sources = { ...this.#sources(), disk, replicaSnapshots: this.#snapshots };
    return answerSnapshot(request, sources);
  }

  /** Takes a seat out of the in-sync members, whose rows it is about to lose. */
  async #onLeave(body: unknown): Promise<LeaveAnswer> {
    const request = leaveRequestSchema.parse(body);
    requireReplicaSet(this.#options.replicaSetUuid, request);
    const leader = requireLeader(request.term, this.#sources());
    return { hasLeft: leader.leave(request.seat, request.session) };
  }

  /** What is fetched is beside the own data: that there is no room for it harms nothing else. */
  async #download(fetchPiece: FetchPiece): Promise<JoinedSnapshot | undefined> {
    const { disk, logger } = this.#options;
    try {
      const joined = await downloadSnapshot(disk, fetchPiece);
      this.#joinFailure = undefined;
      return joined;
    } catch (error) {
      logger.error({ error }, 'the snapshot of the leader could not be stored');
      this.#joinFailure = error instanceof Error ? error.message : String(error);
      // Room again for what is more important.
      await disk.remove(JOIN_FOLDER).catch(() => undefined);
      return undefined;
    }
  }

  #sources(): PullSources {
    const { store, leadership, clock, limits } = this.#options;
    return { store, leader: this.#options.leader(), leadership, clock, limits };
  }
}

/** A request that was meant for another one went astray. */
export function requireReplicaSet(
  own: string,
  { replicaSetUuid }: { readonly replicaSetUuid: string },
): void {
  if (replicaSetUuid === own) return;
  throw new ClusterError('REQUEST_INVALID', {
    field: 'replicaSetUuid',
    message: `This instance belongs to replica set ${own}.`,
  });
}
