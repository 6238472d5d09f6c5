/**
 * The lock of the coordinators: at most one acts, because every transaction of its compares the revision of the lock
 * record that it has itself written last.
 *
 * Another's record is taken over when it was released, or has not changed for 1.1 × TTL here. A watch tells when it
 * may be; it is read before it is taken.
 */
import type { InstanceIdentity } from '../contract/identity.ts';
import {
  type CoordinatorLock,
  coordinatorLockSchema,
  providerKeys,
} from '../contract/provider-records.ts';
import {
  judgeRecord,
  OBSERVER_PATIENCE,
  type Observation,
  observe,
  versionOf,
} from '../core/failover/lease-observer.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Random } from '../foundation/random.ts';
import type { ProviderChange, ProviderCompare, StateProvider } from '../ports/state-provider.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface CoordinatorLockOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: InstanceIdentity;
  readonly ttlMs: number;
  /** Told before the record can name this process, and after it no longer does. */
  readonly onHeld: (held: boolean) => void;
}

interface Held {
  readonly revision: number;
  readonly deadlineMs: number;
}

export class CoordinatorLockKeeper {
  readonly #options: CoordinatorLockOptions;
  #held: Held | undefined;
  #observation: Observation | undefined;
  #seenRevision = 0;
  #isReleased = false;
  #holder: string | undefined;

  constructor(options: CoordinatorLockOptions) {
    this.#options = options;
  }

  /** The instance that the record named when it was last read. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** What a transaction of the active coordinator must compare; undefined when this is not the active one. */
  compare(): ProviderCompare | undefined {
    const held = this.#held;
    if (held === undefined || held.deadlineMs <= this.#options.clock.monotonicMs())
      return undefined;
    return { key: providerKeys.lock, revision: held.revision };
  }

  /** Takes or renews the lock, if it may. */
  async ensure(signal: AbortSignal): Promise<void> {
    const revision = this.#held?.revision ?? (await this.#freeRevision(signal));
    if (revision === undefined) return;
    this.#options.onHeld(true);
    const sentMs = this.#options.clock.monotonicMs();
    const applied = await this.#write(revision, false, signal);
    if (applied === undefined) {
      this.#held = undefined;
      return;
    }
    this.#holder = this.#options.identity.uuid;
    this.#held = { revision: applied, deadlineMs: sentMs + this.#options.ttlMs };
  }

  async release(signal: AbortSignal): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    const applied = await this.#write(held.revision, true, signal).catch(() => undefined);
    if (applied !== undefined) this.#options.onHeld(false);
  }

  /** What is heard of the record of somebody else, so that it need not be read all the time. */
  seen(changes: readonly ProviderChange[]): void {
    for (const { key, value, revision } of changes) {
      if (this.#held !== undefined || revision <= this.#seenRevision) continue;
      const entry = value === null ? undefined : { key, value, revision };
      this.#note(entry && parseRecord(entry, coordinatorLockSchema), revision);
    }
  }

  /** When it is worth a look whether the lock can be taken; not above 0 when it is now. */
  untilFreeMs(nowMs: number): number {
    const isOpen = this.#isReleased || this.#holder === this.#options.identity.uuid;
    if (this.#observation === undefined || isOpen) return 0;
    return this.#observation.sinceMs + OBSERVER_PATIENCE * this.#options.ttlMs - nowMs;
  }

  #note(lock: CoordinatorLock | undefined, revision: number): Observation {
    const nowMs = this.#options.clock.monotonicMs();
    this.#seenRevision = Math.max(this.#seenRevision, revision);
    this.#holder = lock?.holder;
    this.#isReleased = lock?.released ?? true;
    this.#observation = observe(this.#observation, versionOf(lock, revision), nowMs);
    return this.#observation;
  }

  /** The revision that a taker compares with; undefined while somebody else has the lock. */
  async #freeRevision(signal: AbortSignal): Promise<number | undefined> {
    const { provider, clock, identity, ttlMs } = this.#options;
    const entry = await provider.get(providerKeys.lock, { timeoutMs: ttlMs / 3, signal });
    const lock = entry && parseRecord(entry, coordinatorLockSchema);
    const revision = entry?.revision ?? 0;
    const observation = this.#note(lock, revision);
    // An earlier process of this instance is dead, as the working directory is ours.
    if (lock === undefined || lock.holder === identity.uuid) return revision;
    const verdict = judgeRecord(observation, lock, ttlMs, clock.monotonicMs());
    return verdict.kind === 'held' ? undefined : revision;
  }

  async #write(
    revision: number,
    released: boolean,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { provider, identity, random, ttlMs } = this.#options;
    const lock: CoordinatorLock = {
      v: 1,
      holder: identity.uuid,
      incarnation: identity.incarnation,
      nonce: random.uuid(),
      released,
    };
    try {
      const outcome = await provider.transact(
        {
          compare: [{ key: providerKeys.lock, revision }],
          writes: [{ kind: 'put', key: providerKeys.lock, value: JSON.stringify(lock) }],
        },
        { timeoutMs: ttlMs / 3, signal },
      );
      return outcome.kind === 'applied' ? outcome.revision : undefined;
    } catch (error) {
      if (isProviderTrouble(error)) return undefined;
      throw error;
    }
  }
}
