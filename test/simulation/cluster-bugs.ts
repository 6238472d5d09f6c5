/**
 * Bugs planted on purpose: each breaks one rule that keeps a cluster safe, at a port of the process, so that the real
 * services run unchanged. A checker that does not find them proves nothing.
 */
import {
  type Appointment,
  appointmentSchema,
  type Lease,
  providerKeys,
  type Seat,
} from '../../runtime/src/contract/provider-records.ts';
import type { RequiredSeats } from '../../runtime/src/core/replication/leader-progress.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { ProviderStore } from '../../runtime/src/ports/provider-store.ts';
import type { ProviderEntry, StateProvider } from '../../runtime/src/ports/state-provider.ts';
import type { RaftBug } from './raft-bugs.ts';

export const clusterBugs = [
  'deadline-from-answer',
  'absent-is-expired',
  'acknowledge-early',
  'forgetful-promise',
  'appoint-anyone',
] as const;
export type ClusterBug = (typeof clusterBugs)[number];
/** Too rare in the mixture: found where machines are suspended often, or the state provider forgets. */
export type FocusedBug = 'suspension-unseen' | 'epoch-not-compared' | RaftBug;

/** The wall clock stands still with the monotonic one, so that a suspension is not seen. */
export function suspensionUnseen(clock: Clock): Clock {
  const offsetMs = clock.wallTime().getTime() - clock.monotonicMs();
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallTime: () => new Date(clock.monotonicMs() + offsetMs),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  };
}

/** A change of the in-sync members counts from the moment of sending. */
export const acknowledgeEarly: RequiredSeats = (inSync, held) => (held.length > 0 ? held : inSync);

/**
 * The lease counts from the moment of the answer; and answers take long, so that this matters. Not that to taking the
 * lease, which begins with a read: its successor is to be there before the predecessor believes that it is over.
 */
export class DeadlineFromAnswer {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #hasRead = false;

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  provider(provider: StateProvider, uuid: string): StateProvider {
    const answered = (): void => {
      this.#answeredMs = this.#clock.monotonicMs();
    };
    return {
      ...bound(provider),
      get: async (key, options) => {
        const entry = await provider.get(key, options);
        this.#hasRead = true;
        if (entry?.value.includes(uuid) === true) answered();
        return entry;
      },
      transact: async (transaction, options) => {
        const isTaken = this.#hasRead;
        this.#hasRead = false;
        const outcome = await provider.transact(transaction, options);
        if (!isTaken) await this.#clock.sleep(this.#ttlMs / 2);
        if (outcome.kind === 'applied') answered();
        return outcome;
      },
    };
  }

  leadership(port: LeadershipPort): LeadershipPort {
    return {
      current: () => {
        const current = port.current();
        if (current.kind !== 'leader') return current;
        return { ...current, deadlineMs: this.#answeredMs + this.#ttlMs };
      },
      onChange: (listener) => port.onChange(listener),
      proposeInSync: (seats, reason) => port.proposeInSync(seats, reason),
    };
  }
}

/** Shows a lease that is absent as one that was released. */
export function absentIsExpired(
  provider: StateProvider,
  replicaSetUuids: readonly string[],
): StateProvider {
  const fake = (uuid: string): ProviderEntry => {
    const lease: Lease = {
      ...{ v: 1, term: 1, holder: uuid, incarnation: 1, nonce: '', released: true },
    };
    return { key: providerKeys.lease(uuid), value: JSON.stringify(lease), revision: 0 };
  };
  return {
    ...bound(provider),
    list: async (prefix, options) => {
      const listing = await provider.list(prefix, options);
      if (prefix !== providerKeys.leases) return listing;
      const known = new Set(listing.entries.map(({ key }) => key));
      const absent = replicaSetUuids.map(fake).filter(({ key }) => !known.has(key));
      return { ...listing, entries: [...listing.entries, ...absent] };
    },
  };
}

/** Shows every instance of the set as in sync. */
export function appointAnyone(
  provider: StateProvider,
  seatsOf: (replicaSetUuid: string) => readonly Seat[],
): StateProvider {
  const widened = (entry: ProviderEntry): ProviderEntry => {
    const appointment = appointmentSchema.parse(JSON.parse(entry.value));
    const inSync = [...seatsOf(entry.key.slice(providerKeys.leaders.length))];
    return { ...entry, value: JSON.stringify({ ...appointment, inSync } satisfies Appointment) };
  };
  return {
    ...bound(provider),
    list: async (prefix, options) => {
      const listing = await provider.list(prefix, options);
      if (prefix !== providerKeys.leaders) return listing;
      return { ...listing, entries: listing.entries.map(widened) };
    },
  };
}

/** Answers before what is in this file is on the disk. */
export function forgetful(disk: Disk, clock: Clock, forgotten: string): Disk {
  let after: Promise<void> = Promise.resolve();
  return {
    ...disk,
    async writeAtomic(file, bytes) {
      if (file !== forgotten) return disk.writeAtomic(file, bytes);
      after = after.then(() => clock.sleep(500)).then(() => disk.writeAtomic(file, bytes));
      return undefined;
    },
  };
}

/** A store that was set up anew takes what was meant for the one before it, if the revisions are the same. */
export function epochNotCompared(store: ProviderStore): ProviderStore {
  return {
    read: (ranges, options) => store.read(ranges, options),
    transact: (transaction, options) => {
      const equal = transaction.equal.filter(({ value }) => value === null);
      return store.transact({ ...transaction, equal }, options);
    },
    watch: (prefix, from, listener, signal) => store.watch(prefix, from, listener, signal),
    close: () => store.close(),
  };
}

export function bound(provider: StateProvider): StateProvider {
  return {
    get: (key, options) => provider.get(key, options),
    list: (prefix, options) => provider.list(prefix, options),
    transact: (transaction, options) => provider.transact(transaction, options),
    watch: (prefix, from, onChanges, signal) => provider.watch(prefix, from, onChanges, signal),
    close: () => provider.close(),
  };
}
