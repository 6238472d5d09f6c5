/** What is checked of peer leases, beside that there are never two leaders. */
import { isDeepStrictEqual } from 'node:util';
import { sameSeat } from '../../runtime/src/core/failover/seats.ts';
import { CALM_NETWORK } from '../../runtime/src/testing/simulated-peers.ts';
import type { Machine } from './cluster-machine.ts';
import type { ClusterScript } from './cluster-script.ts';
import type { ClusterChecker, SimulatedSet } from './cluster-set.ts';

interface Seen {
  /** It runs without a pause, and reaches the provider well. */
  readonly fineSinceMs: number | undefined;
  readonly awaySinceMs: number | undefined;
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
  #led: { readonly by: Machine | undefined; readonly sinceMs: number } = {
    by: undefined,
    sinceMs: 0,
  };

  constructor(set: SimulatedSet) {
    this.#set = set;
  }

  moment(writable: readonly Machine[]): void {
    const { machines, violate } = this.#set;
    for (const machine of machines) this.#look(machine);
    const [first] = writable;
    const nowMs = this.#set.clock.monotonicMs();
    if (this.#led.by !== first) this.#led = { by: first, sinceMs: nowMs };
    // A lease that was handed to it lasts for a while, and needs no peers.
    if (nowMs - this.#led.sinceMs <= this.#patienceMs) return;
    const leader = writable.find((machine) => this.#isLong(machine, 'awaySinceMs'));
    const current = leader?.process?.failover.current();
    if (leader === undefined || current?.kind !== 'leader') return;
    const reader = machines.find(
      (other) =>
        this.#isLong(other, 'fineSinceMs') &&
        current.inSync.some((seat) => sameSeat(seat, other.seat)),
    );
    if (reader !== undefined) {
      violate(`${leader.name} leads without the provider, ${reader.name} reads it`);
    }
  }

  #look(machine: Machine): void {
    const nowMs = this.#set.clock.monotonicMs();
    const seen = this.#seen.get(machine);
    const isFine = machine.isRunning && machine.hasCalmProvider;
    this.#seen.set(machine, {
      fineSinceMs: isFine ? (seen?.fineSinceMs ?? nowMs) : undefined,
      awaySinceMs: machine.reachesProvider ? undefined : (seen?.awaySinceMs ?? nowMs),
    });
  }

  #isLong(machine: Machine, since: keyof Seen): boolean {
    const sinceMs = this.#seen.get(machine)?.[since] ?? Number.POSITIVE_INFINITY;
    return this.#set.clock.monotonicMs() - sinceMs > this.#patienceMs;
  }

  get #patienceMs(): number {
    const [machine] = this.#set.machines;
    return PATIENCE_TTLS * 1000 * (machine?.world.topology.failover.fencing_ttl ?? 0);
  }
}

/** Nothing happens but that the state provider is away for everybody: then no write of a leader may fail. */
export function isOnlyProviderAway({ events, network }: ClusterScript): boolean {
  return isDeepStrictEqual(network, CALM_NETWORK) && events.every(({ kind }) => kind === AWAY);
}

export const AWAY = 'provider-away';
