/**
 * Which seats acknowledge the writes of the term that this instance leads, and how that changes.
 *
 * From sending a change until its outcome is known, acknowledgement needs the union of old and new. All attempts
 * compare with the last known revision, so one of them at most applies; members that were stored are on this
 * instance's own disk before they count.
 */
import {
  type Appointment,
  appointmentSchema,
  providerKeys,
  type Seat,
} from '../contract/provider-records.ts';
import { sameSeats, unionOfSeats } from '../core/failover/seats.ts';
import { assert } from '../foundation/assert.ts';
import type { Clock } from '../foundation/clock.ts';
import type { InSyncOutcome } from '../ports/leadership.ts';
import type { StateProvider } from '../ports/state-provider.ts';
import { Exclusive } from './exclusive.ts';
import type { StoredAppointment } from './leader-map.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface InSyncKeeperOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly selfUuid: string;
  readonly replicaSetUuid: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Durable when it resolves. */
  readonly persist: (appointment: Appointment) => Promise<void>;
  /** What was persisted last. */
  readonly persisted: () => Appointment | undefined;
  /** The term that this instance holds the lease of. */
  readonly heldTerm: () => number | undefined;
  /** Another appointment was found. */
  readonly onLost: (stored: StoredAppointment | undefined) => void;
  readonly onStored: (stored: StoredAppointment) => void;
  readonly onChange: () => void;
}

const ATTEMPTS = 3;

export class InSyncKeeper {
  readonly #options: InSyncKeeperOptions;
  readonly #key: string;
  readonly #proposals = new Exclusive();
  #stored: StoredAppointment | undefined;
  /** Sent since the stored one, outcome unknown. */
  #pending: readonly (readonly Seat[])[] = [];
  /** Of both; asked for at every write. */
  #union: readonly Seat[] = [];
  #proposing = false;
  #persisting: Promise<void> = Promise.resolve();

  constructor(options: InSyncKeeperOptions) {
    this.#options = options;
    this.#key = providerKeys.leader(options.replicaSetUuid);
  }

  get stored(): StoredAppointment | undefined {
    return this.#stored;
  }

  get settled(): boolean {
    return this.#pending.length === 0;
  }

  /** Whose appends a write of this term needs; undefined when this is not the adopted term. */
  seats(term: number): readonly Seat[] | undefined {
    if (this.#stored?.appointment.term !== term) return undefined;
    return this.#union;
  }

  #know(stored: StoredAppointment, pending: readonly (readonly Seat[])[]): void {
    this.#stored = stored;
    this.#pending = pending;
    this.#union = unionOfSeats(stored.appointment.inSync, ...pending);
  }

  /** An appointment of this instance was seen. One of the present term changes nothing while a proposal is under way. */
  async follow(stored: StoredAppointment): Promise<void> {
    await this.#persisting;
    const known = this.#stored;
    const sameTerm = known?.appointment.term === stored.appointment.term;
    if (sameTerm && (this.#proposing || known.revision >= stored.revision)) return;
    await this.#adopt(stored);
  }

  async #adopt(stored: StoredAppointment): Promise<void> {
    await this.#persist(stored.appointment);
    const known = this.#stored;
    if (known !== undefined && known.appointment.term > stored.appointment.term) return;
    const sameTerm = known?.appointment.term === stored.appointment.term;
    if (sameTerm && known.revision >= stored.revision) return;
    this.#know(stored, []);
    this.#options.onStored(stored);
    this.#options.onChange();
  }

  /**
   * Should the state provider forget everything, the members on the disks decide, and not the term or the leader: where
   * the disk has the same members already, as in a handover, nobody waits. A failure comes out at the next look.
   */
  async #persist(appointment: Appointment): Promise<void> {
    await this.#persisting;
    const { persist, persisted } = this.#options;
    const isSame = sameSeats(persisted()?.inSync ?? [], appointment.inSync);
    const persisting = persist(appointment);
    persisting.catch(() => undefined);
    this.#persisting = persisting;
    if (!isSame) await persisting;
  }

  /** Nothing else changes the record of this term while `work` runs. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#proposals.run(work);
  }

  propose(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    const { selfUuid } = this.#options;
    assert(
      seats.some(({ uuid }) => uuid === selfUuid),
      'a leader is one of its own in-sync members',
    );
    return this.exclusive(async () => {
      this.#proposing = true;
      try {
        return await this.#propose(seats, reason);
      } finally {
        this.#proposing = false;
      }
    });
  }

  async #propose(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    const term = this.#stored?.appointment.term;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (term === undefined || this.#options.heldTerm() !== term) return 'lost';
      const outcome = await this.#attempt(term, seats, reason);
      if (outcome !== undefined) return outcome;
    }
    return 'unknown';
  }

  /** Undefined when it must be tried again. */
  async #attempt(
    term: number,
    seats: readonly Seat[],
    reason: string,
  ): Promise<InSyncOutcome | undefined> {
    const before = this.#stored;
    if (before === undefined) return 'lost';
    const appointment: Appointment = { ...before.appointment, inSync: [...seats], reason };
    this.#know(before, [...this.#pending, seats]);
    this.#options.onChange();
    const revision = await this.#store(before.revision, appointment);
    if (this.#stored !== before) return 'lost';
    if (revision !== undefined) {
      await this.#adopt({ appointment, revision });
      return 'stored';
    }
    return this.#readBack(term, seats);
  }

  async #readBack(term: number, seats: readonly Seat[]): Promise<InSyncOutcome | undefined> {
    const { provider, timeoutMs, signal, clock, selfUuid } = this.#options;
    try {
      const entry = await provider.get(this.#key, { timeoutMs, signal });
      const found = entry && {
        appointment: parseRecord(entry, appointmentSchema),
        revision: entry.revision,
      };
      if (found?.appointment.term !== term || found.appointment.leader !== selfUuid) {
        this.#options.onLost(found);
        return 'lost';
      }
      if (found.revision === this.#stored?.revision) return undefined;
      await this.#adopt(found);
      return sameSeats(found.appointment.inSync, seats) ? 'stored' : undefined;
    } catch (error) {
      if (!isProviderTrouble(error)) throw error;
      await clock.sleep(timeoutMs / 2, signal).catch(() => undefined);
      return undefined;
    }
  }

  /** The new revision; undefined when it lost its comparison, or the outcome is unknown. */
  async #store(revision: number, appointment: Appointment): Promise<number | undefined> {
    const { provider, timeoutMs, signal } = this.#options;
    try {
      const outcome = await provider.transact(
        {
          compare: [{ key: this.#key, revision }],
          writes: [{ kind: 'put', key: this.#key, value: JSON.stringify(appointment) }],
        },
        { timeoutMs, signal },
      );
      return outcome.kind === 'applied' ? outcome.revision : undefined;
    } catch (error) {
      if (isProviderTrouble(error)) return undefined;
      throw error;
    }
  }
}
