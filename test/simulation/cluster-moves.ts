/**
 * What must hold where a coordinator moves leaders that hold their lease: away from one that cannot work, or to spread
 * them over zones. That nothing is lost by it, the other checkers see.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type Appointment,
  appointmentSchema,
  providerKeys,
} from '../../runtime/src/contract/provider-records.ts';
import type { MoveReason } from '../../runtime/src/core/failover/voluntary-moves.ts';
import { CALM_NETWORK } from '../../runtime/src/testing/simulated-peers.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterScript, FaultEvent } from './cluster-script.ts';
import type { ClusterChecker, SimulatedSet } from './cluster-set.ts';

interface Known {
  readonly appointment: Appointment;
  /** Of its term. */
  readonly sinceMs: number;
}

const REASONS: Readonly<Record<MoveReason, true>> = {
  ...{ 'leader-unhealthy': true, 'preferred-zone': true },
  ...{ autoreturn: true, 'spread-leaders': true },
};
/** Clocks of machines run at different rates. */
const CLOCKS = 0.94;
/** A coordinator looks at instances only so often, and acts on what it has seen when it looks the next time. */
const LOOK_TTLS = 5;
/** For what a look and a handover take. */
const SLACK_MS = 1500;

export class MovesChecker implements ClusterChecker {
  readonly #set: SimulatedSet;
  readonly #failing = new Map<Machine, number>();
  /** Since when an instance has been well. */
  readonly #well = new Map<Machine, number>();
  readonly #known = new Map<string, Known>();
  readonly #isWatching: boolean;
  readonly #isCalm: boolean;

  constructor(set: SimulatedSet) {
    this.#set = set;
    this.#isWatching = set.script.events.some(isUnhealthy);
    this.#isCalm = isOnlyUnhealthy(set.script);
  }

  moment(writable: readonly Machine[]): void {
    if (!this.#isWatching) return;
    for (const machine of this.#set.machines) this.#look(machine);
    const [leader] = writable;
    if (this.#isCalm && leader !== undefined && this.#failing.has(leader)) this.#isLeft(leader);
  }

  stored(entries: ReadonlyMap<string, string>): void {
    const own = providerKeys.leader(this.#set.replicaSetUuid);
    if (!this.#isWatching && this.#failover.spread_leaders === 'none') return;
    for (const [key, value] of entries) {
      const appointment = appointmentSchema.parse(JSON.parse(value));
      const before = this.#known.get(key);
      if (before?.appointment.term === appointment.term) continue;
      if (key === own && before !== undefined) this.#moved(before, appointment);
      this.#known.set(key, { appointment, sinceMs: this.#nowMs });
    }
  }

  whatIsMissing(): string | undefined {
    if (this.#failover.spread_leaders === 'none') return undefined;
    const leaders = [...this.#known.values()].map(({ appointment }) => appointment.leader);
    const uneven = this.#unevenness(leaders);
    return uneven > 1 ? `a zone has ${uneven} leaders more than another` : undefined;
  }

  /** In time, if another could take over for as long. */
  #isLeft(leader: Machine): void {
    const current = leader.process?.failover.current();
    const { immunity_timeout: immunity } = this.#failover;
    const lateMs = (3 * LOOK_TTLS * this.#ttlMs) / CLOCKS + SLACK_MS;
    const isImmune = this.#heldMs() < lateMs + (immunity * 1000) / CLOCKS;
    if (current?.kind !== 'leader' || isImmune || this.#failingMs(leader) <= lateMs) return;
    const seats = current.inSync.map(({ uuid }) => uuid);
    const other = this.#set.machines.find(
      (machine) => seats.includes(machine.uuid) && this.#wellMs(machine) > lateMs,
    );
    if (other === undefined) return;
    const forMs = this.#failingMs(leader).toFixed(0);
    this.#set.violate(`${leader.name} stays the leader, and has not been well for ${forMs} ms`);
  }

  #moved(before: Known, { leader, reason }: Appointment): void {
    const [why = ''] = reason.split(':');
    if (!Object.hasOwn(REASONS, why)) return;
    const { violate, count, machines } = this.#set;
    count(`moved: ${why}`);
    const name = leader.slice(-2);
    const afterMs = this.#nowMs - before.sinceMs;
    if (afterMs < CLOCKS * 1000 * this.#failover.immunity_timeout) {
      violate(`${name} was made the leader (${why}) ${afterMs.toFixed(0)} ms after the one before`);
    }
    const machine = machines.find(({ uuid }) => uuid === leader);
    const failingMs = machine === undefined ? 0 : this.#failingMs(machine);
    if (this.#isCalm && failingMs > (2 * LOOK_TTLS * this.#ttlMs) / CLOCKS + SLACK_MS) {
      violate(`${name} was made the leader (${why}), and was not well then`);
    }
    if (why === 'spread-leaders') this.#spread(before, leader);
  }

  /** Looked at only where no other leader has changed since it can have been decided. */
  #spread(before: Known, leader: string): void {
    const others = [...this.#known.values()].filter((known) => known !== before);
    const longAgoMs = this.#nowMs - (4 * this.#ttlMs + SLACK_MS) / CLOCKS;
    if (others.some(({ sinceMs }) => sinceMs > longAgoMs)) return;
    const rest = others.map(({ appointment }) => appointment.leader);
    const was = this.#unevenness([...rest, before.appointment.leader]);
    const is = this.#unevenness([...rest, leader]);
    if (is < was) return;
    this.#set.violate(`${leader.slice(-2)} was made the leader to spread them; it does not`);
  }

  /** So many leaders more are in one zone than in another. */
  #unevenness(leaders: readonly string[]): number {
    const { servers } = this.#topology;
    const counts = new Map<string, number>();
    for (const [uuid, server] of Object.entries(servers)) {
      const zone = server === 'expelled' ? '' : (server.zone ?? '');
      counts.set(zone, (counts.get(zone) ?? 0) + (leaders.includes(uuid) ? 1 : 0));
    }
    return Math.max(...counts.values()) - Math.min(...counts.values());
  }

  #look(machine: Machine): void {
    const [is, isNot] =
      machine.state === 'RolesConfigured'
        ? [this.#well, this.#failing]
        : [this.#failing, this.#well];
    isNot.delete(machine);
    if (!is.has(machine)) is.set(machine, this.#nowMs);
  }

  #wellMs(machine: Machine): number {
    return this.#nowMs - (this.#well.get(machine) ?? this.#nowMs);
  }

  #failingMs(machine: Machine): number {
    const sinceMs = this.#failing.get(machine);
    return sinceMs === undefined ? 0 : this.#nowMs - sinceMs;
  }

  /** For how long its leader has been the leader. */
  #heldMs(): number {
    const own = this.#known.get(providerKeys.leader(this.#set.replicaSetUuid));
    return own === undefined ? 0 : this.#nowMs - own.sinceMs;
  }

  get #nowMs(): number {
    return this.#set.clock.monotonicMs();
  }

  get #topology(): Machine['world']['topology'] {
    const [machine] = this.#set.machines;
    if (machine === undefined) throw new Error('a set has machines');
    return machine.world.topology;
  }

  get #failover(): Machine['world']['topology']['failover'] {
    return this.#topology.failover;
  }

  get #ttlMs(): number {
    return this.#failover.fencing_ttl * 1000;
  }
}

/** Nothing happens but that instances say they cannot work: then the bounds of a calm cluster hold. */
function isOnlyUnhealthy({ events, network }: ClusterScript): boolean {
  return isDeepStrictEqual(network, CALM_NETWORK) && events.every(isUnhealthy);
}

function isUnhealthy({ kind }: FaultEvent): boolean {
  return kind === 'unhealthy';
}
