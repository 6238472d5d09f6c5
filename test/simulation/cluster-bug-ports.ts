/**
 * Ports of a process that are wrong on purpose: each breaks one rule that keeps a cluster safe, so that the real services
 * run unchanged. `cluster-bugs.ts` says which rule, and what finds it.
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
import type { Leadership, LeadershipPort } from '../../runtime/src/ports/leadership.ts';
import type { ProviderStore } from '../../runtime/src/ports/provider-store.ts';
import type {
  ProviderEntry,
  ProviderTransaction,
  StateProvider,
} from '../../runtime/src/ports/state-provider.ts';
import type { ServedStorage } from './cluster-bugs.ts';

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

/** The lease counts from the moment of the answer; and answers take long, so that this matters. */
export class DeadlineFromAnswer {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #isFirst = true;

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
        if (entry?.value.includes(uuid) === true) answered();
        return entry;
      },
      transact: async (transaction, options) => {
        const outcome = await provider.transact(transaction, options);
        // Not the first: whoever is appointed next begins at once.
        if (!this.#isFirst) await this.#clock.sleep(this.#ttlMs / 2);
        this.#isFirst = false;
        if (outcome.kind === 'applied') answered();
        return outcome;
      },
    };
  }

  leadership(port: LeadershipPort): LeadershipPort {
    return changedLeadership(port, (current) =>
      current.kind === 'leader'
        ? { ...current, deadlineMs: this.#answeredMs + this.#ttlMs }
        : current,
    );
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
      if (![prefix].flat().includes(providerKeys.leases)) return listing;
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
      const entries = listing.entries.map((entry) =>
        entry.key.startsWith(providerKeys.leaders) ? widened(entry) : entry,
      );
      return { ...listing, entries };
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

/** The lease never ends; `writesWithLease` asks for it when a write comes, so that only its answer goes unchecked. */
export function endlessLease(port: LeadershipPort): LeadershipPort {
  return changedLeadership(port, (current) =>
    current.kind === 'leader' ? { ...current, deadlineMs: Number.POSITIVE_INFINITY } : current,
  );
}

/** Writable only while the lease holds by that clock, whatever the storage believes. */
export function writesWithLease(
  storage: ServedStorage,
  holdsLease: () => boolean,
  refuse: () => Error,
): ServedStorage {
  return {
    get isWritable() {
      return storage.isWritable && holdsLease();
    },
    read: (work, options) => storage.read(work, options),
    write: (work, options) =>
      holdsLease() ? storage.write(work, options) : Promise.reject(refuse()),
  };
}

/** A leader reads what it has, whether its lease still holds or not. */
export function readsWithoutLease(storage: ServedStorage, leads: () => boolean): ServedStorage {
  return {
    get isWritable() {
      return storage.isWritable;
    },
    read: (work, options) => storage.read(work, leads() ? { consistency: 'local' } : options),
    write: (work, options) => storage.write(work, options),
  };
}

/** A write is answered as soon as the leader has applied it. */
export function answersEarly(storage: ServedStorage): ServedStorage {
  return {
    get isWritable() {
      return storage.isWritable;
    },
    read: (work, options) => storage.read(work, options),
    write: (work, options) =>
      new Promise((resolve, reject) => {
        storage
          .write((transaction) => {
            const result = work(transaction);
            // Behind this tick, in which the row is in the engine.
            queueMicrotask(() => resolve(result));
            return result;
          }, options)
          .catch(reject);
      }),
  };
}

/** Appointments do not ask whose lock it is; and they are long on their way, so that this matters. */
export function withoutTheLock(
  provider: StateProvider,
  clock: Clock,
  delayMs: number,
): StateProvider {
  return {
    ...bound(provider),
    transact: async (transaction, options) => {
      if (!isAppointment(transaction)) return provider.transact(transaction, options);
      await clock.sleep(delayMs);
      const compare = transaction.compare.filter(({ key }) => key !== providerKeys.lock);
      return provider.transact({ ...transaction, compare }, options);
    },
  };
}

/** A leader that hands over writes on until the deadline that it had. */
export class KeptDeadline {
  readonly #clock: Clock;
  #last: Extract<Leadership, { kind: 'leader' }> | undefined;
  #isKept = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  provider(provider: StateProvider): StateProvider {
    return {
      ...bound(provider),
      transact: (transaction, options) => {
        if (isAppointment(transaction)) this.#isKept = true;
        return provider.transact(transaction, options);
      },
    };
  }

  leadership(port: LeadershipPort): LeadershipPort {
    return changedLeadership(port, (current) => {
      if (current.kind === 'leader' && Number.isFinite(current.deadlineMs)) this.#last = current;
      const last = this.#last;
      const isBefore = last !== undefined && this.#clock.monotonicMs() < last.deadlineMs;
      return this.#isKept && isBefore ? last : current;
    });
  }
}

function changedLeadership(
  port: LeadershipPort,
  change: (current: Leadership) => Leadership,
): LeadershipPort {
  return {
    current: () => change(port.current()),
    onChange: (listener) => port.onChange(listener),
    proposeInSync: (seats, reason) => port.proposeInSync(seats, reason),
  };
}

/** By a coordinator, or by a leader that hands over. */
function isAppointment({ writes }: ProviderTransaction): boolean {
  return writes.length > 1 && writes.some(({ key }) => key.startsWith(providerKeys.leaders));
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
    placeOf: (revision) => provider.placeOf(revision),
    revisionAt: (place) => provider.revisionAt(place),
    close: () => provider.close(),
  };
}
