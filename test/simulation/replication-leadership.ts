/**
 * A model of leadership for simulations of replication: one record with a lease, changed by compare-and-set only.
 *
 * It stands for state provider, coordinator and failover service together, in as few words as keep its promises:
 * appointments have rising terms, only in-sync seats with a promise of the term are appointed, and never before the
 * old lease has been silent for longer than it lasts.
 */
import type { Position } from '../../runtime/src/contract/instance-status.ts';
import type { Seat } from '../../runtime/src/contract/provider-records.ts';
import { sameSeat } from '../../runtime/src/core/replication/leader-progress.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type {
  InSyncOutcome,
  Leadership,
  LeadershipPort,
} from '../../runtime/src/ports/leadership.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';

const LEASE_MS = 1000;

export interface LeadershipRecord {
  readonly term: number;
  readonly leader: string;
  readonly inSync: readonly Seat[];
  readonly version: number;
}

export interface RecordFaults {
  readonly lossBefore: number;
  readonly lossAfter: number;
}

/** What every instance of the replica set reads and writes, each call with loss and delay. */
export class LeadershipStore {
  record: LeadershipRecord | undefined;
  faults: RecordFaults = { lossBefore: 0, lossAfter: 0 };
  /** When the lease last changed, on the store's own clock. */
  leaseChangedMs = 0;
  /** Which process renews the lease of the present term. */
  #holder: string | undefined;
  readonly #unreachable = new Set<string>();
  readonly #clock: Clock;
  readonly #random: SeededRandom;

  readonly #onRecord: (record: LeadershipRecord) => void;

  constructor(clock: Clock, random: SeededRandom, onRecord: (record: LeadershipRecord) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#onRecord = onRecord;
  }

  cutOff(uuid: string): void {
    this.#unreachable.add(uuid);
  }

  heal(): void {
    this.#unreachable.clear();
    this.faults = { lossBefore: 0, lossAfter: 0 };
  }

  appoint(record: LeadershipRecord): void {
    this.#store(record);
    this.#holder = undefined;
    this.leaseChangedMs = this.#clock.monotonicMs();
  }

  read(uuid: string): Promise<LeadershipRecord | undefined> {
    return this.#call(uuid, () => this.record);
  }

  /** A process that is not the holder of a term's lease does not become it once there is one. */
  renew(uuid: string, process: string, term: number): Promise<boolean> {
    return this.#call(uuid, () => {
      if (this.record?.term !== term || this.record.leader !== uuid) return false;
      this.#holder ??= process;
      if (this.#holder !== process) return false;
      this.leaseChangedMs = this.#clock.monotonicMs();
      return true;
    });
  }

  /** Undefined when the record is another. */
  changeInSync(
    uuid: string,
    version: number,
    inSync: readonly Seat[],
  ): Promise<LeadershipRecord | undefined> {
    return this.#call(uuid, () => {
      if (this.record?.version !== version) return undefined;
      return this.#store({ ...this.record, inSync, version: version + 1 });
    });
  }

  #store(record: LeadershipRecord): LeadershipRecord {
    this.record = record;
    this.#onRecord(record);
    return record;
  }

  async #call<T>(uuid: string, effect: () => T): Promise<T> {
    await this.#clock.sleep(this.#random.fraction() * 20);
    if (this.#isLost(uuid, this.faults.lossBefore)) throw await this.#late('not stored');
    const result = effect();
    await this.#clock.sleep(this.#random.fraction() * 20);
    if (this.#isLost(uuid, this.faults.lossAfter)) throw await this.#late('perhaps stored');
    return result;
  }

  #isLost(uuid: string, probability: number): boolean {
    return this.#unreachable.has(uuid) || this.#random.chance(probability);
  }

  async #late(message: string): Promise<Error> {
    await this.#clock.sleep(100 + this.#random.fraction() * 200);
    return new Error(message);
  }
}

/** The view of one process. It may be late and wrong about others, never about its own lease. */
export class ModelLeadership implements LeadershipPort {
  readonly #store: LeadershipStore;
  readonly #seat: Seat;
  readonly #process: string;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  /** The highest term that the storage has heard of. */
  seenTerm: () => number = () => 0;
  #record: LeadershipRecord | undefined;
  #deadlineMs = 0;
  #unsettled: readonly Seat[] = [];

  constructor(store: LeadershipStore, seat: Seat, process: string, clock: Clock) {
    this.#store = store;
    this.#seat = seat;
    this.#process = process;
    this.#clock = clock;
  }

  current(): Leadership {
    const record = this.#record;
    if (record === undefined) return { kind: 'none', term: 0, reason: 'nobody was appointed' };
    const { term, leader, inSync } = record;
    if (leader !== this.#seat.uuid) return { kind: 'follower', term, leader };
    if (this.#deadlineMs === 0) return { kind: 'none', term, reason: 'the lease is not held yet' };
    const union = [...inSync, ...this.#unsettled];
    return { kind: 'leader', term, deadlineMs: this.#deadlineMs, inSync: union };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async proposeInSync(seats: readonly Seat[]): Promise<InSyncOutcome> {
    const record = this.#record;
    if (record?.leader !== this.#seat.uuid) return 'lost';
    this.#unsettled = [...this.#unsettled, ...seats];
    this.#notify();
    try {
      const stored = await this.#store.changeInSync(this.#seat.uuid, record.version, seats);
      if (stored !== undefined) {
        this.#adopt(stored);
        this.#unsettled = [];
        this.#notify();
        return 'stored';
      }
      const found = await this.#store.read(this.#seat.uuid);
      if (found === undefined || found.term !== record.term) return 'lost';
      this.#adopt(found);
      return 'unknown';
    } catch {
      // A lost call: it may have been stored, or may not.
      return 'unknown';
    }
  }

  /** Reads and renews for ever. */
  async run(): Promise<void> {
    for (;;) {
      await this.#clock.sleep(100);
      try {
        const record = await this.#store.read(this.#seat.uuid);
        if (record !== undefined) this.#adopt(record);
        await this.#renew();
      } catch {
        // The store could not be reached: the lease runs out by itself.
      }
    }
  }

  async #renew(): Promise<void> {
    const record = this.#record;
    if (record?.leader !== this.#seat.uuid) return;
    // A leader that has heard of a higher term never writes again: it lets the lease go.
    if (this.seenTerm() > record.term) return;
    const sentMs = this.#clock.monotonicMs();
    const isHeld = await this.#store.renew(this.#seat.uuid, this.#process, record.term);
    if (this.#record?.term !== record.term) return;
    this.#deadlineMs = isHeld ? sentMs + LEASE_MS : 0;
    this.#notify();
  }

  #adopt(record: LeadershipRecord): void {
    if (this.#record !== undefined && record.version <= this.#record.version) return;
    if (record.term !== this.#record?.term) {
      this.#deadlineMs = 0;
      this.#unsettled = [];
    }
    this.#record = record;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

interface Report {
  readonly uuid: string;
  readonly position: Position;
  readonly promisedTerm: number;
  readonly logIncarnation: number;
}

export interface CoordinatorOptions {
  readonly store: LeadershipStore;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly replicaSetUuid: string;
  /** Who is asked: all that are not lost for good. */
  readonly uuids: () => readonly string[];
}

/** Appoints whenever the lease is silent for too long. */
export async function coordinate(options: CoordinatorOptions): Promise<void> {
  const { store, clock } = options;
  for (;;) {
    await clock.sleep(100);
    const before = store.record;
    const isSilent = clock.monotonicMs() - store.leaseChangedMs > LEASE_MS * 1.1;
    if (before !== undefined && !isSilent) continue;
    const lease = store.leaseChangedMs;
    const next = await choose(options, before);
    const isSame = store.record === before && store.leaseChangedMs === lease;
    if (next !== undefined && isSame) store.appoint(next);
  }
}

async function choose(
  options: CoordinatorOptions,
  before: LeadershipRecord | undefined,
): Promise<LeadershipRecord | undefined> {
  const { uuids, random } = options;
  const first = await promises(options, (before?.term ?? 0) + 1);
  const term = Math.max((before?.term ?? 0) + 1, ...first.map((report) => report.promisedTerm));
  const reports = (await promises(options, term)).filter((report) => report.promisedTerm === term);
  const seatOf = ({ uuid, logIncarnation }: Report): Seat => ({
    uuid,
    incarnation: logIncarnation,
  });
  const version = (before?.version ?? 0) + 1;
  const eligible = reports.filter((report) =>
    before?.inSync.some((seat) => sameSeat(seat, seatOf(report))),
  );
  if (before !== undefined && eligible.length > 0) {
    return { term, leader: random.pick(eligible).uuid, inSync: before.inSync, version };
  }
  // No seat has answered. Only when all have, and none has its seat any more, does the longest log lead.
  if (reports.length < uuids().length) return undefined;
  const [longest] = reports.toSorted(
    (a, b) => b.position.term - a.position.term || b.position.sequence - a.position.sequence,
  );
  if (longest === undefined) return undefined;
  return { term, leader: longest.uuid, inSync: [seatOf(longest)], version };
}

async function promises(options: CoordinatorOptions, term: number): Promise<readonly Report[]> {
  const { uuids, peers, replicaSetUuid } = options;
  const answers = await Promise.allSettled(
    uuids().map(async (uuid) => {
      const body = { replicaSetUuid, term };
      const report = await peers.call(uuid, 'leadership.promise', body, { timeoutMs: 200 });
      return { ...(report as Omit<Report, 'uuid'>), uuid };
    }),
  );
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}
