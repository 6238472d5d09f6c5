/**
 * All appointments, as this instance last saw them: listed, then watched.
 *
 * When the state provider does not answer, the map keeps what it knew (FO-32); it is never taken for the truth where
 * safety is concerned, only compare-and-set is.
 */
import { type Appointment, appointmentSchema, providerKeys } from '../contract/provider-records.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { ProviderChange, StateProvider } from '../ports/state-provider.ts';
import { isProviderTrouble, parseRecord } from './stored-records.ts';

export interface StoredAppointment {
  readonly appointment: Appointment;
  readonly revision: number;
}

export interface LeaderMapOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
  readonly onChange: (replicaSetUuids: readonly string[]) => void;
}

const RETRY_MS = 100;

export class LeaderMap {
  readonly #options: LeaderMapOptions;
  #leaders = new Map<string, StoredAppointment>();
  /** Failures after the first one in a row are nothing new. */
  #isListed = true;
  #trouble: string | undefined = 'the state provider has not been read yet';

  constructor(options: LeaderMapOptions) {
    this.#options = options;
  }

  /** Why the map may be old. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get(replicaSetUuid: string): StoredAppointment | undefined {
    return this.#leaders.get(replicaSetUuid);
  }

  all(): ReadonlyMap<string, StoredAppointment> {
    return this.#leaders;
  }

  /** What this instance has stored or read itself: the watch would tell it later. */
  set(replicaSetUuid: string, stored: StoredAppointment): void {
    const known = this.#leaders.get(replicaSetUuid);
    if (known !== undefined && known.revision >= stored.revision) return;
    this.#leaders.set(replicaSetUuid, stored);
    this.#options.onChange([replicaSetUuid]);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        const revision = await this.#list(signal);
        this.#trouble = undefined;
        this.#isListed = true;
        await this.#options.provider.watch(
          providerKeys.leaders,
          revision + 1,
          (changes) => this.#apply(changes),
          signal,
        );
      } catch (error) {
        if (!isProviderTrouble(error)) throw error;
        const level = this.#isListed ? 'warn' : 'debug';
        this.#isListed = false;
        this.#trouble = error instanceof Error ? error.message : '';
        logger[level]({ error }, 'the appointments cannot be watched; trying again');
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<number> {
    const { provider, timeoutMs } = this.#options;
    const { entries, revision } = await provider.list(providerKeys.leaders, { timeoutMs, signal });
    const before = this.#leaders;
    this.#leaders = new Map(
      entries.map((entry) => [
        entry.key.slice(providerKeys.leaders.length),
        { appointment: parseRecord(entry, appointmentSchema), revision: entry.revision },
      ]),
    );
    const uuids = new Set([...before.keys(), ...this.#leaders.keys()]);
    // Not by revision alone: a store that was set up anew may give one again.
    this.#tell([...uuids].filter((uuid) => !isSame(before.get(uuid), this.get(uuid))));
    return revision;
  }

  #apply(changes: readonly ProviderChange[]): void {
    const changed: string[] = [];
    for (const { key, value, revision } of changes) {
      const uuid = key.slice(providerKeys.leaders.length);
      const known = this.#leaders.get(uuid);
      if (known !== undefined && known.revision >= revision) continue;
      if (value === null) this.#leaders.delete(uuid);
      else {
        const appointment = parseRecord({ key, value, revision }, appointmentSchema);
        this.#leaders.set(uuid, { appointment, revision });
      }
      changed.push(uuid);
    }
    this.#tell(changed);
  }

  #tell(uuids: readonly string[]): void {
    if (uuids.length > 0) this.#options.onChange(uuids);
  }
}

/** Parsed by one schema, so equal records have their fields in one order. */
function isSame(a: StoredAppointment | undefined, b: StoredAppointment | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
