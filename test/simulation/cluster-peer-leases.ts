/** What is checked of peer leases, beside that there are never two leaders. */
import { isDeepStrictEqual } from 'node:util';
import { sameSeat } from '../../runtime/src/core/failover/seats.ts';
import { CALM_NETWORK } from '../../runtime/src/testing/simulated-peers.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterScript } from './cluster-script.ts';
import type { ClusterChecker, SimulatedSet } from './cluster-set.ts';

interface Seen {
  /** It runs without a pause, and reaches the provider well. */
  readonly isFine: boolean;
  readonly sinceMs: number;
}

/** A last grant, its time to live, clocks that run at different rates, and calls that take long. */
const PATIENCE_TTLS = 2.5;

/**
 * Nobody leads for long by peer leases while a seat that counts can read the state provider: such a leader could never
 * change its in-sync members, and has to be replaced.
 */
export class PeerLeaseChecker implements ClusterChecker {
  readonly #set: SimulatedSet;
  readonly #seen = new Map<Machine, Seen>();

  constructor(set: SimulatedSet) {
    this.#set = set;
  }

  moment(writable: readonly Machine[]): void {
    const { machines, violate } = this.#set;
    for (const machine of machines) this.#look(machine);
    const leader = writable.find(
      (machine) => !machine.reachesProvider && this.#isLong(machine, false),
    );
    const current = leader?.process?.failover.current();
    if (leader === undefined || current?.kind !== 'leader') return;
    const reader = machines.find(
      (other) =>
        this.#isLong(other, true) && current.inSync.some((seat) => sameSeat(seat, other.seat)),
    );
    if (reader !== undefined) {
      violate(`${leader.name} leads without the provider, ${reader.name} reads it`);
    }
  }

  #look(machine: Machine): void {
    const isFine = machine.isRunning && machine.hasCalmProvider;
    if (this.#seen.get(machine)?.isFine === isFine) return;
    this.#seen.set(machine, { isFine, sinceMs: this.#set.clock.monotonicMs() });
  }

  #isLong(machine: Machine, isFine: boolean): boolean {
    const seen = this.#seen.get(machine);
    const ttlMs = machine.world.topology.failover.fencing_ttl * 1000;
    const forMs = this.#set.clock.monotonicMs() - (seen?.sinceMs ?? Number.POSITIVE_INFINITY);
    return seen?.isFine === isFine && forMs > PATIENCE_TTLS * ttlMs;
  }
}

/** Nothing happens but that the state provider is away for everybody: then no write of a leader may fail. */
export function isOnlyProviderAway({ events, network }: ClusterScript): boolean {
  return isDeepStrictEqual(network, CALM_NETWORK) && events.every(({ kind }) => kind === AWAY);
}

export const AWAY = 'provider-away';
