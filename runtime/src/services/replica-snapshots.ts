/**
 * When a snapshot is taken, and what becomes superfluous by it.
 *
 * By time, by the size of the log that a start would have to read, and on request. Some snapshots are kept; segments
 * of the log go once all of them have what is in it, and once all followers have passed it, unless one stays so far
 * behind that the log gets too large: that one has to join.
 */
import type { Issue } from '../contract/instance-status.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { ReplicaStore } from './replica-store.ts';
import type { SnapshotInfo } from './snapshot-files.ts';
import { type SnapshotTakeLimits, takeSnapshot } from './snapshot-take.ts';
import { WakeUp } from './wake-up.ts';

export interface SnapshotLimits extends SnapshotTakeLimits {
  /** A snapshot is taken so long after the last, if anything was written (`checkpoint_interval`). Zero: never. */
  readonly snapshotIntervalMs: number;
  /** … and when the log behind the last has grown by so much (`checkpoint_wal_threshold`). */
  readonly snapshotLogBytes: number;
  /** How many are kept (`checkpoint_count`). */
  readonly snapshotCount: number;
  /** A log larger than this is not kept for followers that are behind. */
  readonly laggardLogBytes: number;
  readonly snapshotCheckMs: number;
}

export const defaultSnapshotLimits: SnapshotLimits = {
  snapshotIntervalMs: 3_600_000,
  snapshotLogBytes: 256 * 1024 * 1024,
  snapshotCount: 2,
  laggardLogBytes: 1024 * 1024 * 1024,
  snapshotCheckMs: 1000,
  snapshotSliceMs: 2,
  snapshotPauseMs: 0,
  snapshotBlockBytes: 64 * 1024,
};

/** After a failure; sooner where an instance waits for it, and perhaps writes for the instance. */
const RETRY_MS = 60_000;
const WANTED_RETRY_MS = 5000;

export interface ReplicaSnapshotsOptions {
  readonly store: ReplicaStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: SnapshotLimits;
  readonly acknowledged: () => number;
  /** The lowest position of a follower that may still ask for rows; undefined when nothing is known of any. */
  readonly slowestFollower: () => number | undefined;
}

export class ReplicaSnapshots {
  readonly #options: ReplicaSnapshotsOptions;
  readonly #wakeUp: WakeUp;
  #lastMs: number;
  /** What the log had written when the last snapshot began, and where its end was. */
  #lastBytes = 0;
  #lastSequence = 0;
  #wanted: string | undefined;
  /** What went wrong last, and when it is tried again. */
  #failure: { readonly message: string; readonly atMs: number } | undefined;
  #taking: Promise<SnapshotInfo | undefined> | undefined;

  constructor(options: ReplicaSnapshotsOptions) {
    this.#options = options;
    this.#wakeUp = new WakeUp(options.clock);
    this.#lastMs = options.clock.monotonicMs();
  }

  /** One is taken now, unless that is so already, or has just failed. */
  request(reason: string): void {
    if (this.#taking !== undefined) return;
    this.#wanted ??= reason;
    this.#wakeUp.wake();
  }

  issues(): readonly Issue[] {
    if (this.#failure === undefined) return [];
    const { message } = this.#failure;
    return [
      {
        level: 'warning',
        topic: 'snapshot-failed',
        message:
          `No snapshot could be taken: ${message}. The log grows until one is. Look for room on ` +
          'the disk; it is tried again every minute.',
      },
    ];
  }

  /** Resolves to one that has all that is written now; undefined when rows were taken back meanwhile. */
  async take(reason: string, signal: AbortSignal): Promise<SnapshotInfo | undefined> {
    const { store } = this.#options;
    await this.#taking;
    const { newest } = store.snapshots;
    if (newest !== undefined && newest.start.sequence === store.end.sequence) return newest;
    return this.#take(reason, signal);
  }

  /** Takes what is due, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { limits, store } = this.#options;
    this.#lastSequence = store.snapshots.newest?.start.sequence ?? 0;
    for (;;) {
      await this.#wakeUp.sleep(limits.snapshotCheckMs, signal);
      if (store.hasFailed || signal.aborted) return;
      const reason = this.#due();
      if (reason !== undefined) await this.#try(reason, signal);
      await this.#clear();
    }
  }

  #due(): string | undefined {
    const { store, clock, limits } = this.#options;
    if (!store.isComplete || store.end.sequence === this.#lastSequence) return undefined;
    const retryMs = this.#wanted === undefined ? RETRY_MS : WANTED_RETRY_MS;
    const failedMs = this.#failure?.atMs ?? Number.NEGATIVE_INFINITY;
    if (clock.monotonicMs() - failedMs < retryMs) return undefined;
    if (this.#wanted !== undefined) return this.#wanted;
    if (store.log.writtenBytes - this.#lastBytes >= limits.snapshotLogBytes) {
      return 'the log has grown';
    }
    const isTime = clock.monotonicMs() - this.#lastMs >= limits.snapshotIntervalMs;
    return limits.snapshotIntervalMs > 0 && isTime ? 'it is time' : undefined;
  }

  async #try(reason: string, signal: AbortSignal): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      await this.#take(reason, signal);
    } catch (error) {
      if (store.hasFailed) throw error;
      logger.error({ error }, 'no snapshot could be taken');
      const message = error instanceof Error ? error.message : String(error);
      this.#failure = { message, atMs: clock.monotonicMs() };
    }
  }

  #take(reason: string, signal: AbortSignal): Promise<SnapshotInfo | undefined> {
    this.#taking ??= this.#takeOne(reason, signal).finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #takeOne(reason: string, signal: AbortSignal): Promise<SnapshotInfo | undefined> {
    const { store, clock, logger, limits, acknowledged } = this.#options;
    const { writtenBytes } = store.log;
    const beganMs = clock.monotonicMs();
    this.#wanted = undefined;
    const taken = await takeSnapshot({ store, clock, acknowledged, limits, signal });
    this.#lastMs = beganMs;
    this.#failure = undefined;
    if (taken === undefined) return undefined;
    this.#lastBytes = writtenBytes;
    this.#lastSequence = taken.start.sequence;
    const { name, start, end, bytes } = taken;
    const tookMs = clock.monotonicMs() - beganMs;
    logger.info({ name, start, end, bytes, tookMs, reason }, 'a snapshot was taken');
    await this.#clear();
    return taken;
  }

  /** Removes old snapshots, and the log that no kept one needs. */
  async #clear(): Promise<void> {
    const { store, clock, limits, logger } = this.#options;
    await store.exclusively(async () => {
      const { all } = store.snapshots;
      for (const old of all.slice(0, Math.max(0, all.length - limits.snapshotCount))) {
        if (!store.snapshots.isHeld(old.name, clock.monotonicMs())) {
          await store.snapshots.remove(old);
        }
      }
      const [oldest] = store.snapshots.all;
      // A single one may be damaged: without its log nothing would be left.
      if (oldest === undefined || store.snapshots.all.length < limits.snapshotCount) return;
      const removed = await store.log.trim(Math.min(oldest.start.sequence, this.#neededBehind()));
      if (removed > 0) logger.info({ removed, first: store.log.first }, 'the log was trimmed');
    });
  }

  /** Followers need what is behind it. */
  #neededBehind(): number {
    const { store, limits, slowestFollower } = this.#options;
    const slowest = slowestFollower();
    if (slowest === undefined || store.log.bytes > limits.laggardLogBytes) {
      return Number.POSITIVE_INFINITY;
    }
    return slowest;
  }
}
