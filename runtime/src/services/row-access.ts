/**
 * The rows of this instance for those who work on their bytes, under the rules of the storage service.
 *
 * Whether a lease holds is asked for every request, so the answer is kept with the moment until which it is right;
 * whatever may end it before that forgets it.
 */
import type { MemoryEngine } from '../core/storage/memory/memory-engine.ts';
import type { Clock } from '../foundation/clock.ts';
import type { HeldReplies } from '../ports/iproto-storage.ts';
import type { LeadershipPort } from '../ports/leadership.ts';
import type { LeaderTerm } from './leader-term.ts';
import type { ReplicaStore } from './replica-store.ts';
import type { RowAccess } from './request-storage.ts';

export interface StorageRowAccessOptions {
  readonly store: ReplicaStore;
  readonly leadership: LeadershipPort;
  readonly clock: Clock;
  readonly isWritable: () => boolean;
  /** Throws unless this instance leads, with a lease that holds now. */
  readonly requireWritable: () => LeaderTerm;
}

export class StorageRowAccess implements RowAccess {
  readonly #options: StorageRowAccessOptions;
  readonly #held = new Set<HeldReplies>();
  #leader: LeaderTerm | undefined;
  #untilMs = Number.NEGATIVE_INFINITY;
  /** The monotonic clock stands still while the machine is suspended; a wall clock outside of these is looked into. */
  #wallFromMs = 0;
  #wallUntilMs = 0;

  constructor(options: StorageRowAccessOptions) {
    this.#options = options;
  }

  /** What the terms of this instance tell all that hold replies. */
  readonly held: HeldReplies = {
    settle: (acknowledged, logged) => {
      for (const each of this.#held) each.settle(acknowledged, logged);
    },
    fail: (upTo, why) => {
      for (const each of this.#held) each.fail(upTo, why);
    },
  };

  get isWritable(): boolean {
    return this.#options.isWritable();
  }

  get isReadable(): boolean {
    const { store } = this.#options;
    // The first row is of the first leader: an instance without it has heard nothing of its replica set.
    return store.end.sequence > 0 && store.isUsable;
  }

  engine(): MemoryEngine {
    return this.#options.store.engine;
  }

  readable(): MemoryEngine {
    if (!this.#holds() && this.#options.leadership.current().kind === 'leader') this.#renew();
    return this.#options.store.usableEngine();
  }

  writable(): MemoryEngine {
    if (!this.#holds()) this.#renew();
    return this.#options.store.usableEngine();
  }

  committed(rowCount: number, spaces: Iterable<number>): number {
    const { store, requireWritable } = this.#options;
    return store.committed(rowCount, spaces, (this.#leader ?? requireWritable()).term);
  }

  unacknowledged(space: number): number {
    const leader = this.#leader;
    if (leader === undefined) return 0;
    const { newest, engine } = this.#options.store;
    const sequence = newest.of(space);
    if (sequence <= leader.acknowledged) return 0;
    if (engine.catalog.findId(space)?.isLocal !== true) return sequence;
    return sequence > leader.logged ? -sequence : 0;
  }

  hold(held: HeldReplies): () => void {
    this.#held.add(held);
    return () => this.#held.delete(held);
  }

  /** Something may have changed: it is looked at anew. */
  forget(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#leader = undefined;
  }

  #holds(): boolean {
    const untilMs = this.#untilMs;
    if (untilMs === Number.POSITIVE_INFINITY) return true;
    const { clock } = this.#options;
    if (clock.monotonicMs() >= untilMs) return false;
    const wallMs = clock.wallTime().getTime();
    return wallMs >= this.#wallFromMs && wallMs < this.#wallUntilMs;
  }

  #renew(): void {
    this.forget();
    const leader = this.#options.requireWritable();
    const current = this.#options.leadership.current();
    if (current.kind !== 'leader') return;
    this.#leader = leader;
    this.#untilMs = current.deadlineMs;
    const { clock } = this.#options;
    this.#wallFromMs = clock.wallTime().getTime();
    this.#wallUntilMs = this.#wallFromMs + current.deadlineMs - clock.monotonicMs();
  }
}
