/** What must hold in a replica set without a state provider, judged from the disks and from what clients were told. */
import { validBatches } from '../../runtime/src/core/storage/log-format.ts';
import { RowCodec } from '../../runtime/src/core/storage/rows.ts';
import { endOf, firstDifference, idsIn, logOf } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';

export interface EventualCheckerOptions {
  readonly machines: readonly Machine[];
  readonly nameOf: (uuid: string) => string;
  readonly violate: (message: string) => void;
  readonly note: (message: string) => void;
  readonly count: (what: string, times?: number) => void;
}

/** The first that is created: the log that was cut need not say what it is. */
const ONLY_SPACE = 512;

export class EventualChecker {
  readonly #options: EventualCheckerOptions;
  readonly #acknowledged = new Set<number>();
  readonly #leaders = new Map<number, string>();

  constructor(options: EventualCheckerOptions) {
    this.#options = options;
  }

  answered(id: number): void {
    this.#acknowledged.add(id);
  }

  /** An instance has become writable, or is not any more. */
  writable(machine: Machine, isWritable: boolean): void {
    const { violate, note, count, nameOf, machines } = this.#options;
    if (!isWritable || !machine.isRunning) return;
    const current = machine.process?.failover.current();
    if (current?.kind !== 'leader') return;
    const { term } = current;
    note(`${nameOf(machine.uuid)} leads term ${term}`);
    count('leaderships');
    if (machines.filter((one) => one.isWritable).length > 1) count('two lead');
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== machine.uuid) violate(`term ${term} has two leaders`);
    this.#leaders.set(term, machine.uuid);
    this.#compareLogs();
  }

  whatIsMissing(replicaSetUuid: string, first: string): string | undefined {
    const { machines, nameOf } = this.#options;
    const writable = machines.filter(({ isWritable }) => isWritable);
    if (writable.length !== 1) return `${writable.length} are writable`;
    if (writable[0]?.uuid !== first) return `${nameOf(writable[0]?.uuid ?? '')} leads`;
    const stranger = machines.find(
      ({ process }) => process?.failover.leaderOf(replicaSetUuid)?.uuid !== first,
    );
    if (stranger !== undefined) return `${nameOf(stranger.uuid)} takes another one for the leader`;
    const current = writable[0].process?.failover.current();
    // One that has rows of another term is about to cut them, or to bring the leader to a higher term.
    const terms = machines.map(({ disk }) => endOf(logOf(disk)).term);
    if (terms.some((term) => term !== current?.term))
      return `logs end in terms ${terms.join(', ')}`;
    const count = current?.kind === 'leader' ? current.inSync.length : 0;
    return count === machines.length ? undefined : `${count} are in sync`;
  }

  nothingIsMissing(): void {
    const missing = this.#missing();
    if (missing.length === 0) return;
    this.#options.violate(`without a fault rows ${missing.slice(0, 5).join(', ')} were lost`);
  }

  /** What is not in the data any more must be where people can find it. */
  everythingIsAccountedFor(): void {
    const { machines, violate, count } = this.#options;
    this.#compareLogs();
    const lost = machines.flatMap((machine) => this.#lostOf(machine));
    const missing = this.#missing();
    count('rows lost', missing.length);
    const gone = missing.filter((id) => !lost.includes(id));
    if (gone.length > 0) violate(`rows ${gone.slice(0, 5).join(', ')} are in no log and not lost`);
  }

  #missing(): readonly number[] {
    const leader = this.#options.machines.find(({ isWritable }) => isWritable);
    const ids = leader === undefined ? new Set<number>() : idsIn(logOf(leader.disk));
    return [...this.#acknowledged].filter((id) => !ids.has(id));
  }

  #lostOf({ disk }: Machine): readonly number[] {
    const codec = new RowCodec();
    const batches = disk
      .names('lost')
      .flatMap((name) => validBatches(disk.peek(`lost/${name}`) ?? new Uint8Array()));
    return batches
      .flatMap(({ payload }) => codec.decode(payload))
      .flatMap((row) =>
        row.kind === 'replace' && row.space === ONLY_SPACE ? [Number(row.tuple[0])] : [],
      );
  }

  #compareLogs(): void {
    const logs = this.#options.machines.map(({ disk }) => logOf(disk));
    for (const [index, log] of logs.entries()) {
      for (const other of logs.slice(index + 1)) {
        const sequence = firstDifference(log, other);
        if (sequence === undefined) continue;
        this.#options.violate(`two logs differ in row ${sequence} of one term`);
        return;
      }
    }
    this.#options.count('ends compared', endOf(logs[0] ?? []).sequence > 0 ? 1 : 0);
  }
}
