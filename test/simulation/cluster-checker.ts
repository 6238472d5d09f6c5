/**
 * What must hold in one replica set at every moment of a run, judged from outside: from the disks, from what the state
 * provider stores, and from what clients were told.
 *
 * The one loss that the rules allow: when no in-sync member has its seat any more, the longest log of them leads, and
 * what was acknowledged beyond it is gone.
 */
import {
  type Appointment,
  appointmentSchema,
  providerKeys,
  type Seat,
} from '../../runtime/src/contract/provider-records.ts';
import { comparePositions, sameSeat, sameSeats } from '../../runtime/src/core/failover/seats.ts';
import type { Exchange } from '../../runtime/src/testing/simulated-peers.ts';
import { endOf, firstDifference, idsIn, logOf, promisedOn } from './cluster-logs.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterChecker, SimulatedSet } from './cluster-set.ts';

export class ReplicaSetChecker implements ClusterChecker {
  readonly #options: SimulatedSet;
  readonly #acknowledged = new Set<number>();
  readonly #refused = new Set<number>();
  /** By term: the process that has led it. */
  readonly #leaders = new Map<number, string>();
  readonly #promised = new Map<string, number>();
  #appointment: Appointment | undefined;
  #value: string | undefined;
  /** The state provider has lost the appointment; every member is asked then. */
  #hasForgotten = false;

  constructor(options: SimulatedSet) {
    this.#options = options;
  }

  get machines(): readonly Machine[] {
    return this.#options.machines;
  }

  get acknowledged(): ReadonlySet<number> {
    return this.#acknowledged;
  }

  /** An instance has answered a write: not after another one has led a higher term. */
  answered(id: number, by: Machine): void {
    this.#acknowledged.add(id);
    const last = this.#lastTermOf(by.uuid);
    const highest = Math.max(0, ...this.#leaders.keys());
    if (last === highest) return;
    this.#options.violate(
      `${by.uuid.slice(-2)} of term ${last} answered row ${id} after term ${highest} had begun`,
    );
  }

  /** A leader has shown it to a client. */
  shown(id: number): void {
    this.#acknowledged.add(id);
  }

  progress(): number {
    return this.#acknowledged.size;
  }

  refused(id: number): void {
    this.#refused.add(id);
  }

  /** Rows that were lost as the rules allow it. */
  forget(ids: readonly number[]): void {
    for (const id of ids) this.#acknowledged.delete(id);
  }

  /** Called after every event of the run. */
  moment(writable: readonly Machine[]): void {
    if (writable.length <= 1) return;
    const names = writable.map(
      ({ uuid, process }) => `${uuid.slice(-2)} in term ${process?.storage.promisedTerm}`,
    );
    this.#options.violate(`two are writable: ${names.join(' and ')}`);
  }

  /** An instance has become writable. */
  leads(machine: Machine): void {
    const { violate, note, count } = this.#options;
    const term = machine.process?.storage.promisedTerm ?? 0;
    count('leaderships');
    note(`${machine.uuid.slice(-2)} leads term ${term}`);
    this.#onlyLeaderOf(term, machine);
    const { term: appointed, inSync = [] } = this.#appointment ?? {};
    if (appointed === term && !inSync.some((seat) => sameSeat(seat, machine.seat))) {
      violate(`${machine.uuid.slice(-2)} leads term ${term} without its seat`);
    }
    this.#requireAll(machine, `the leader of term ${term}`);
    this.#compareLogs();
  }

  /** One process leads a term: after a start it is another, which needs another term. */
  #onlyLeaderOf(term: number, { uuid, incarnation }: Machine): void {
    const leader = `${uuid}/${incarnation}`;
    const other = this.#leaders.get(term) ?? leader;
    this.#leaders.set(term, leader);
    if (other === leader) return;
    const isSame = other.startsWith(uuid);
    this.#options.violate(
      isSame ? `term ${term} went on after a start` : `term ${term} has two leaders`,
    );
  }

  #lastTermOf(uuid: string): number {
    const led = [...this.#leaders].filter(([, leader]) => leader.startsWith(uuid));
    return Math.max(0, ...led.map(([term]) => term));
  }

  /** The record of the appointment may have changed. */
  stored(entries: ReadonlyMap<string, string>): void {
    const value = entries.get(providerKeys.leader(this.#options.replicaSetUuid));
    if (value === this.#value) return;
    this.#value = value;
    if (value === undefined) {
      this.#hasForgotten = true;
      this.#options.note('the appointment is gone');
      return;
    }
    const before = this.#appointment;
    const next = appointmentSchema.parse(JSON.parse(value));
    this.#appointment = next;
    this.#options.note(
      `term ${next.term}: ${next.leader.slice(-2)} of ${seatNames(next.inSync)} (${next.reason})`,
    );
    // A term that was forgotten before anybody began it may be given again.
    if (before?.term === next.term && !this.#hasForgotten) this.#checkSameTerm(before, next);
    else this.#checkNewTerm(before, next);
    for (const seat of next.inSync) {
      const machine = this.#holding(seat);
      if (machine !== undefined) this.#requireAll(machine, `in-sync ${seat.uuid.slice(-2)}`);
    }
  }

  /** Who answers that it has promised a term has it on its disk, and never promises less afterwards. */
  exchanged({ to, method, answer }: Exchange): void {
    const machine = this.machines.find(({ uuid }) => uuid === to);
    if (method !== 'leadership.promise' || machine === undefined) return;
    const { promisedTerm } = answer as { readonly promisedTerm: number };
    const name = to.slice(-2);
    if (promisedOn(machine.disk) < promisedTerm) {
      this.#options.violate(`${name} answered before its promise of ${promisedTerm} was stored`);
    }
    const before = this.#promised.get(to) ?? 0;
    if (promisedTerm < before) this.#options.violate(`${name} broke its promise of ${before}`);
    this.#promised.set(to, promisedTerm);
  }

  /** Everything has healed. Undefined when the set is whole: one leader, all in sync, all logs equal. */
  whatIsMissing(): string | undefined {
    if (this.#value === undefined) return 'nobody is appointed';
    const leader = this.machines.find(({ isWritable }) => isWritable);
    if (leader === undefined) return 'nobody is writable';
    const seats = this.machines.map(({ seat }) => seat);
    const inSync = this.#appointment?.inSync ?? [];
    if (!sameSeats(inSync, seats))
      return `in sync are ${seatNames(inSync)}, not ${seatNames(seats)}`;
    const term = this.#appointment?.term ?? 0;
    const ahead = this.machines.find(({ disk }) => promisedOn(disk) > term);
    if (ahead !== undefined) return `${ahead.uuid.slice(-2)} has promised more than term ${term}`;
    const ends = this.machines.map(({ disk }) => endOf(logOf(disk)));
    const [first] = ends;
    if (first !== undefined && ends.some((end) => comparePositions(end, first) !== 0)) {
      return `the logs end at ${ends.map(({ term, sequence }) => `${term}/${sequence}`).join(' ')}`;
    }
    return undefined;
  }

  end(): void {
    const { violate } = this.#options;
    this.#compareLogs();
    for (const machine of this.machines) {
      this.#requireAll(machine, `at the end ${machine.uuid.slice(-2)}`);
      const ids = idsIn(logOf(machine.disk));
      const wrong = [...this.#refused].filter((id) => ids.has(id));
      if (wrong.length > 0) violate(`${machine.uuid.slice(-2)} has refused rows ${briefly(wrong)}`);
    }
  }

  #checkSameTerm(before: Appointment, next: Appointment): void {
    if (before.leader !== next.leader) this.#options.violate(`term ${next.term} changed leaders`);
  }

  #checkNewTerm(before: Appointment | undefined, next: Appointment): void {
    const { violate, count } = this.#options;
    count(`appointed: ${next.reason}`);
    const hadForgotten = this.#hasForgotten;
    this.#hasForgotten = false;
    if (before === undefined) return;
    if (next.term < before.term) violate(`term ${next.term} follows term ${before.term}`);
    if (next.reason === 'forced') {
      this.#giveUp(next);
      return;
    }
    const left = before.inSync.filter((other) => this.#holding(other) !== undefined);
    if (left.length === 0) {
      this.#allSeatsLost(hadForgotten ? this.machines : this.#formerOf(before), next);
      return;
    }
    // Whoever leads when all were asked has everything, as every log is compared: that is checked of its rows.
    // The seat that was appointed counts: if it was lost since its instance was asked, that one will not begin.
    const wasInSync = before.inSync.some(
      (seat) => seat.uuid === next.leader && next.inSync.some((other) => sameSeat(seat, other)),
    );
    if (hadForgotten || wasInSync) return;
    violate(`${next.leader.slice(-2)} was appointed, in sync were ${seatNames(left)}`);
  }

  /** Somebody has decided so: what the new leader does not have is lost. */
  #giveUp({ leader }: Appointment): void {
    const { count, allSeatsLost } = this.#options;
    allSeatsLost();
    const heir = this.machines.find(({ uuid }) => uuid === leader);
    const ids = heir === undefined ? new Set<number>() : idsIn(logOf(heir.disk));
    const lost = [...this.#acknowledged].filter((id) => !ids.has(id));
    this.forget(lost);
    count('rows given up', lost.length);
  }

  #formerOf({ inSync }: Appointment): readonly Machine[] {
    return this.machines.filter(({ uuid }) => inSync.some((seat) => seat.uuid === uuid));
  }

  #allSeatsLost(former: readonly Machine[], next: Appointment): void {
    const { violate, count, note, allSeatsLost } = this.#options;
    allSeatsLost();
    if (!former.some(({ uuid }) => uuid === next.leader)) {
      violate(`${next.leader.slice(-2)} leads without ever having had a seat`);
    }
    // One that has rebooted since it was asked has lost its seat again, and will not begin: nothing is decided yet.
    const seated = next.inSync.flatMap((seat) => this.#holding(seat) ?? []);
    const heir = seated.find(({ uuid }) => uuid === next.leader) ?? seated[0];
    if (heir === undefined) return;
    const log = logOf(heir.disk);
    const longer = former.find(({ disk }) => comparePositions(endOf(logOf(disk)), endOf(log)) > 0);
    if (longer !== undefined) violate(`${longer.uuid.slice(-2)} has a longer log than the leader`);
    const ids = idsIn(log);
    const lost = [...this.#acknowledged].filter((id) => !ids.has(id));
    for (const id of lost) this.#acknowledged.delete(id);
    count('rows lost with all seats', lost.length);
    note(`no seat was left: ${lost.length} acknowledged rows are lost`);
  }

  /** The machine whose log is still the one that has this seat. */
  #holding(seat: Seat): Machine | undefined {
    return this.machines.find((machine) => sameSeat(machine.seat, seat));
  }

  #requireAll(machine: Machine, who: string): void {
    const ids = idsIn(logOf(machine.disk));
    const missing = [...this.#acknowledged].filter((id) => !ids.has(id));
    if (missing.length > 0) {
      this.#options.violate(`${who} misses acknowledged rows ${briefly(missing)}`);
    }
  }

  #compareLogs(): void {
    const [first, ...others] = this.machines.map(({ disk }) => logOf(disk));
    for (const log of others) {
      const sequence = firstDifference(first ?? [], log);
      if (sequence !== undefined) this.#options.violate(`two logs differ in row ${sequence}`);
    }
  }
}

function seatNames(seats: readonly Seat[]): string {
  return `[${seats.map(({ uuid, incarnation }) => `${uuid.slice(-2)}/${incarnation}`).join(' ')}]`;
}

function briefly(ids: readonly number[]): string {
  return `${ids.slice(0, 5).join(', ')} (${ids.length} in all)`;
}
