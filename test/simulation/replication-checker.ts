/** What must hold of a replica set at every moment of a run, and of its instances in the end. */
import { isDeepStrictEqual } from 'node:util';
import { sameSeat } from '../../runtime/src/core/replication/leader-progress.ts';
import { validBatches } from '../../runtime/src/core/storage/log-format.ts';
import { type Row, RowCodec } from '../../runtime/src/core/storage/rows.ts';
import type { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { LocalRows } from './replication-acks.ts';
import type { SimulatedInstance } from './replication-instance.ts';
import type { LeadershipStore } from './replication-leadership.ts';
import { contentOf, LOCAL_ID, ROWS_ID } from './replication-rows.ts';

type StoredLog = readonly { term: number; firstSequence: number; payload: Uint8Array }[];

export interface ReplicationCheckerOptions {
  readonly clock: SimulatedClock;
  readonly store: LeadershipStore;
  readonly instances: () => readonly SimulatedInstance[];
}

export class ReplicationChecker {
  readonly violations: string[] = [];
  readonly acknowledged = new Set<number>();
  /** Writes that were certainly not done, by what the client was told. */
  readonly refused = new Set<number>();
  readonly local = new LocalRows((text) => this.violations.push(text));
  /** Local rows that the end has not. */
  lost = 0;
  readonly #options: ReplicationCheckerOptions;
  readonly #store: LeadershipStore;

  constructor(options: ReplicationCheckerOptions) {
    this.#options = options;
    this.#store = options.store;
  }

  /** Rows that were cut from logs, of the space that most clients write. */
  get cutRows(): number {
    return this.#cutIds(ROWS_ID).length;
  }

  get #instances(): readonly SimulatedInstance[] {
    return this.#options.instances();
  }

  /** Those that are not lost for good. */
  get #left(): readonly SimulatedInstance[] {
    return this.#instances.filter(({ isDestroyed }) => !isDestroyed);
  }

  oneLeader(): void {
    const writable = this.#instances.filter(({ storage }) => storage?.isWritable === true);
    if (writable.length > 1) this.violations.push('two leaders are writable');
  }

  /** Whoever may be appointed at this moment has everything, whether it ever is or not. */
  async watchInSync(untilMs: number): Promise<void> {
    const { clock } = this.#options;
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(100);
      for (const seat of this.#store.record?.inSync ?? []) {
        const instance = this.#instances.find((other) => sameSeat(other.seat, seat));
        const acknowledged = [...this.acknowledged];
        await instance?.storage?.read(contentOf, { consistency: 'local' }).then(
          ([ids]) => this.#checkContent(`in-sync ${seat.uuid}`, new Set(ids), acknowledged),
          // One that is without its rows, or has ended, cannot be asked.
          () => undefined,
        );
      }
    }
  }

  newLeader(instance: SimulatedInstance): void {
    const { storage } = instance;
    const acknowledged = [...this.acknowledged];
    if (storage === undefined) return;
    const term = storage.promisedTerm;
    storage.read(contentOf, { consistency: 'local' }).then(
      ([ids, , local]) => {
        this.#checkContent(`the new leader ${instance.uuid}`, new Set(ids), acknowledged);
        this.local.leads(term, local);
      },
      (error: unknown) => this.violations.push(`a new leader cannot be read: ${String(error)}`),
    );
  }

  #checkContent(who: string, ids: ReadonlySet<number>, acknowledged: readonly number[]): void {
    const missing = acknowledged.filter((id) => !ids.has(id));
    if (missing.length > 0) {
      this.violations.push(`${who} misses acknowledged rows: ${briefly(missing)}`);
    }
    const wrong = [...this.refused].filter((id) => ids.has(id));
    if (wrong.length > 0) this.violations.push(`${who} has refused rows: ${briefly(wrong)}`);
  }

  async end(): Promise<void> {
    const left = this.#left;
    const contents = await Promise.all(
      left.map(async ({ storage }) => storage?.read(contentOf, { consistency: 'local' })),
    );
    if (!this.#instances.some(({ storage }) => storage?.isWritable === true)) {
      this.violations.push('nobody is writable after the calm');
    }
    const [first] = contents;
    const [ids, count, local] = first ?? [[], 0, []];
    this.#checkContent('the end', new Set(ids), [...this.acknowledged]);
    this.lost = this.local.end(local, new Set(this.#cutIds(LOCAL_ID)));
    this.#checkLostCounts();
    if (count !== ids.length) this.violations.push('half of a transaction is there');
    if (contents.some((content) => !isDeepStrictEqual(content, first))) {
      this.violations.push('the three hold different rows after the calm');
    }
    const logs = left.map((instance) => batchesIn(instance, 'log'));
    if (logs.some((log) => logs.some((other) => haveDifferentBatches(log, other)))) {
      this.violations.push('the three have different logs after the calm');
    }
    const ends = left.map(({ storage }) => storage?.position);
    if (ends.some((end) => !isDeepStrictEqual(end, ends[0]))) {
      this.violations.push('the logs of the three end with different rows after the calm');
    }
    await this.#checkRecovery(first);
    if (this.#store.record?.inSync.length !== left.length) {
      this.violations.push('not all are in-sync after the calm');
    }
    const cut = this.#cutIds(ROWS_ID).filter(
      (id) => this.acknowledged.has(id) && !ids.includes(id),
    );
    if (cut.length > 0) this.violations.push(`acknowledged rows were cut: ${briefly(cut)}`);
  }

  /** Snapshot and log of each make the same rows again. */
  async #checkRecovery(expected: unknown): Promise<void> {
    for (const instance of this.#left) {
      if (instance.storage === undefined) continue;
      instance.kill();
      await instance.start();
      const content = await instance.storage.read(contentOf, { consistency: 'local' });
      if (!isDeepStrictEqual(content, expected)) {
        this.violations.push(`${instance.uuid} has other rows after a start`);
      }
    }
  }

  /** What is in `lost/` is what the instance says of it. */
  #checkLostCounts(): void {
    for (const { uuid, storage, disk } of this.#left) {
      const rows = rowsIn({ disk }, 'lost').filter(({ kind }) => kind !== 'begin-term').length;
      const told = storage?.figures().lostRows ?? rows;
      if (told !== rows) this.violations.push(`${uuid} counts ${told} lost rows, not ${rows}`);
    }
  }

  /** Rows of a space that clients wrote and that are in `lost/`. */
  #cutIds(space: number): readonly number[] {
    return this.#instances
      .flatMap((instance) => rowsIn(instance, 'lost'))
      .flatMap((row) =>
        row.kind === 'replace' && row.space === space ? [Number(row.tuple.at(-1))] : [],
      );
  }
}

function briefly(ids: readonly number[]): string {
  return `${ids.slice(0, 5).join(', ')} (${ids.length} in all)`;
}

/** Each has trimmed its own: what both have must be the same. One that has joined last may have nothing at all. */
function haveDifferentBatches(log: StoredLog, other: StoredLog): boolean {
  const begins = Math.max(...[log, other].map(([first]) => first?.firstSequence ?? Infinity));
  const [a, b] = [log, other].map((each) => each.filter((one) => one.firstSequence >= begins));
  return !isDeepStrictEqual(a, b);
}

function rowsIn(instance: Pick<SimulatedInstance, 'disk'>, folder: string): readonly Row[] {
  const codec = new RowCodec();
  return batchesIn(instance, folder).flatMap(({ payload }) => codec.decode(payload));
}

function batchesIn({ disk }: Pick<SimulatedInstance, 'disk'>, folder: string): StoredLog {
  return disk
    .names(folder)
    .flatMap((name) => validBatches(disk.peek(`${folder}/${name}`) ?? new Uint8Array()))
    .map(({ term, firstSequence, payload }) => ({ term, firstSequence, payload }));
}
