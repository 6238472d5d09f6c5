/** Carries out what `voluntary-moves.ts` plans: asks leaders to hand over, beside the rounds of the coordinator. */
import type { Topology } from '../contract/cluster-config.ts';
import type { Appointment } from '../contract/provider-records.ts';
import type { Candidate } from '../core/failover/candidate.ts';
import type { Health } from '../core/failover/instance-health.ts';
import { addressOf } from '../core/failover/leader-order.ts';
import { type LedSet, type Move, planMoves } from '../core/failover/voluntary-moves.ts';
import type { Clock } from '../foundation/clock.ts';
import type { Logger } from '../foundation/logger.ts';
import type { Peers } from '../ports/peers.ts';

export interface VoluntaryHandoversOptions {
  readonly peers: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ttlMs: number;
  readonly healthOf: (uuid: string) => Health;
}

/** A replica set whose leader holds its lease. */
export interface Led {
  readonly uuid: string;
  readonly members: readonly Candidate[];
  readonly appointment: Appointment;
}

interface Seen {
  readonly term: number;
  readonly sinceMs: number;
}

export class VoluntaryHandovers {
  readonly #options: VoluntaryHandoversOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #automatic = new Map<string, number>();
  readonly #failedMs = new Map<string, number>();
  readonly #kept = new Map<string, string>();
  readonly #running = new Set<string>();

  constructor(options: VoluntaryHandoversOptions) {
    this.#options = options;
  }

  /** This coordinator has appointed by its own rules, not because somebody asked. */
  appointed(replicaSetUuid: string, term: number): void {
    this.#automatic.set(replicaSetUuid, term);
  }

  forget(replicaSetUuid: string): void {
    for (const map of [this.#seen, this.#automatic, this.#failedMs, this.#kept]) {
      map.delete(replicaSetUuid);
    }
  }

  /** Starts what is to be done now; each set has one handover at a time, and one at a time is for places. True while any is under way. */
  consider(topology: Topology, led: readonly Led[], signal: AbortSignal): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const sets = led.map((set) => this.#look(set, nowMs));
    const { healthOf } = this.#options;
    const { moves, kept } = planMoves({ failover: topology.failover, sets, healthOf }, nowMs);
    this.#logKept(sets, kept);
    for (const move of moves) {
      const isFree = move.reason === 'leader-unhealthy' || this.#running.size === 0;
      if (isFree && !this.#running.has(move.replicaSetUuid)) this.#start(topology, move, signal);
    }
    return this.#running.size > 0;
  }

  #look(set: Led, nowMs: number): LedSet {
    const { uuid, appointment } = set;
    const { term } = appointment;
    const before = this.#seen.get(uuid);
    const seen = before?.term === term ? before : { term, sinceMs: nowMs };
    this.#seen.set(uuid, seen);
    return {
      ...set,
      sinceMs: seen.sinceMs,
      isAutomatic: this.#automatic.get(uuid) === term,
      failedMs: this.#failedMs.get(uuid),
    };
  }

  #start(topology: Topology, move: Move, signal: AbortSignal): void {
    const { logger, clock } = this.#options;
    const { replicaSetUuid } = move;
    this.#running.add(replicaSetUuid);
    logger.info({ ...move }, 'a leader is asked to hand over');
    this.#handOver(topology, move, signal).then(
      () => this.#running.delete(replicaSetUuid),
      (error: unknown) => {
        this.#running.delete(replicaSetUuid);
        this.#failedMs.set(replicaSetUuid, clock.monotonicMs());
        logger.warn({ ...move, error }, 'a leader did not hand over; trying again later');
      },
    );
  }

  async #handOver(topology: Topology, move: Move, signal: AbortSignal): Promise<void> {
    const { replicaSetUuid, from, to, why } = move;
    const address = addressOf(topology, from);
    if (address === undefined) return;
    const body = { replicaSetUuid, to, reason: `${move.reason}: ${why}`.slice(0, 200) };
    const timeoutMs = handoverTimeoutMs(this.#options.ttlMs);
    await this.#options.peers.call(address, 'leadership.handover', body, { timeoutMs, signal });
  }

  #logKept(sets: readonly LedSet[], kept: ReadonlyMap<string, string>): void {
    for (const { uuid } of sets) {
      const reason = kept.get(uuid);
      if (this.#kept.get(uuid) === reason) continue;
      if (reason === undefined) this.#kept.delete(uuid);
      else {
        this.#kept.set(uuid, reason);
        const said = { replicaSetUuid: uuid, reason };
        this.#options.logger.warn(said, 'an unhealthy leader stays for now');
      }
    }
  }
}

/** Longer than a leader gives its successor, and a transaction whose outcome has to be found out. */
export function handoverTimeoutMs(ttlMs: number): number {
  return 4 * ttlMs + 1000;
}
