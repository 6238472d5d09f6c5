/**
 * A term that this instance leads without anybody's appointment: on its own disk before it counts. The in-sync members
 * are kept there alone, for the next term of this instance.
 */
import type { InstanceIdentity } from '../contract/identity.ts';
import type { Seat } from '../contract/provider-records.ts';
import { unionOfSeats } from '../core/failover/seats.ts';
import type { InSyncOutcome } from '../ports/leadership.ts';
import type { InSyncFile } from './in-sync-file.ts';

export interface LocalTermOptions {
  readonly identity: InstanceIdentity;
  readonly file: InSyncFile;
  /** Called when what it leads with has changed. */
  readonly onChange: () => void;
}

export interface Led {
  readonly term: number;
  readonly inSync: readonly Seat[];
}

export class LocalTerm {
  readonly #options: LocalTermOptions;
  #led: Led | undefined;

  constructor(options: LocalTermOptions) {
    this.#options = options;
  }

  get led(): Led | undefined {
    return this.#led;
  }

  get ownSeat(): Seat {
    const { uuid, logIncarnation } = this.#options.identity;
    return { uuid, incarnation: logIncarnation };
  }

  end(): void {
    this.#led = undefined;
  }

  /** Leads once it is stored, if `isWanted` still says so then. */
  async begin(led: Led, reason: string, isWanted: () => boolean): Promise<void> {
    await this.#store(led, reason);
    if (!isWanted()) return;
    this.#led = led;
    this.#options.onChange();
  }

  async proposeInSync(seats: readonly Seat[], reason: string): Promise<InSyncOutcome> {
    const led = this.#led;
    if (led === undefined) return 'lost';
    this.#led = { ...led, inSync: unionOfSeats(led.inSync, seats) };
    this.#options.onChange();
    await this.#store({ term: led.term, inSync: seats }, reason);
    if (this.led?.term !== led.term) return 'lost';
    this.#led = { term: led.term, inSync: seats };
    this.#options.onChange();
    return 'stored';
  }

  #store(led: Led, reason: string): Promise<void> {
    const { identity, file } = this.#options;
    return file.store({ v: 1, ...led, inSync: [...led.inSync], leader: identity.uuid, reason });
  }
}
