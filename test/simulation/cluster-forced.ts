/**
 * What must hold of a promotion by force: nothing is given up where an in-sync member is still there, and what is given
 * up is counted. The count is that of the last look at the set before it was lost: what was acknowledged since then it
 * cannot know.
 */
import {
  type Appointment,
  appointmentSchema,
  providerKeys,
} from '../../runtime/src/contract/provider-records.ts';
import { sameSeat } from '../../runtime/src/core/failover/seats.ts';
import { endOf, logOf } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterChecker, SimulatedSet } from './cluster-set.ts';

/** How far the rows were that the leader has called acknowledged, at some moments. */
class Progress {
  #lastMs = 0;
  #reached: { readonly atMs: number; readonly sequence: number }[] = [];

  /** When it was told last. */
  get lastMs(): number {
    return this.#lastMs;
  }

  tell(atMs: number, sequence: number): void {
    this.#lastMs = atMs;
    if (sequence > this.at(atMs)) this.#reached.push({ atMs, sequence });
  }

  at(ms: number): number {
    return this.#reached.findLast(({ atMs }) => atMs <= ms)?.sequence ?? 0;
  }
}

/** It looks at all instances now and then, and a look takes a while. */
const LOOK_TTLS = 6;
const SLACK_MS = 1000;
/** One that runs for so long, and reaches everybody, is there for a coordinator as well. */
const THERE_MS = 1500;

export class ForcedChecker implements ClusterChecker {
  readonly #set: SimulatedSet;
  readonly #isWatching: boolean;
  readonly #acknowledged = new Progress();
  /** While a coordinator could hear of it. */
  #heard = new Progress();
  readonly #thereSince = new Map<Machine, number>();
  #before: Appointment | undefined;

  constructor(set: SimulatedSet) {
    this.#set = set;
    this.#isWatching = set.script.events.some(({ kind }) => kind === 'forced-promotion');
  }

  moment(writable: readonly Machine[]): void {
    if (!this.#isWatching) return;
    for (const machine of this.#set.machines) {
      const isThere = machine.isRunning && machine.hasCalmProvider;
      if (!isThere) this.#thereSince.delete(machine);
      else if (!this.#thereSince.has(machine)) this.#thereSince.set(machine, this.#nowMs);
    }
    const [leader] = writable;
    if (leader?.process === undefined) return;
    const { sequence } = leader.process.storage.acknowledged;
    this.#acknowledged.tell(this.#nowMs, sequence);
    if (this.#thereSince.has(leader)) this.#heard.tell(this.#nowMs, sequence);
  }

  stored(entries: ReadonlyMap<string, string>): void {
    const value = entries.get(providerKeys.leader(this.#set.replicaSetUuid));
    if (value === undefined || !this.#isWatching) return;
    const appointment = appointmentSchema.parse(JSON.parse(value));
    const before = this.#before;
    this.#before = appointment;
    if (before === undefined || before.term === appointment.term) return;
    if (appointment.reason === 'forced') this.#forced(before, appointment);
  }

  #forced({ inSync }: Appointment, { leader, term, forced }: Appointment): void {
    const { machines, violate, note, count } = this.#set;
    count('forced');
    const there = machines.find((machine) => {
      const isSeated = inSync.some((seat) => sameSeat(seat, machine.seat));
      return isSeated && this.#nowMs - (this.#thereSince.get(machine) ?? this.#nowMs) > THERE_MS;
    });
    if (there !== undefined) violate(`term ${term} was forced, and in-sync ${there.name} is there`);
    const heir = machines.find(({ uuid }) => uuid === leader);
    const end = heir === undefined ? 0 : endOf(logOf(heir.disk)).sequence;
    const lost = Math.max(0, this.#acknowledged.at(this.#nowMs) - end);
    const unseenMs = (LOOK_TTLS * this.#ttlMs) / 0.94 + SLACK_MS;
    const least = Math.max(0, this.#heard.at(this.#heard.lastMs - unseenMs) - end);
    const counted = forced?.rowsLost ?? 0;
    note(`${heir?.name ?? ''} was forced: ${lost} rows are lost, ${counted} were counted`);
    if (counted < least || counted > lost) {
      violate(`${counted} rows count as given up, of ${least} to ${lost} that are lost`);
    }
    // What was given up before may be counted again: a later leader may have gone as far as that.
    this.#heard = new Progress();
  }

  get #nowMs(): number {
    return this.#set.clock.monotonicMs();
  }

  get #ttlMs(): number {
    const [machine] = this.#set.machines;
    return 1000 * (machine?.world.topology.failover.fencing_ttl ?? 0);
  }
}
