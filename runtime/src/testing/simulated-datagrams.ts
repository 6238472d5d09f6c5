/**
 * A network of datagrams in one process: delay, loss, duplicates, another order, cuts in one direction or both; all
 * from a seed. Each bind of a name has an address of its own, as a pod that was replaced: whoever keeps the old one
 * sends to nobody.
 */
import type { Clock } from '../foundation/clock.ts';
import type { Datagrams } from '../ports/datagrams.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface DatagramFaults {
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** So many are held back for a while: others overtake them. */
  readonly heldBack: number;
}

export const CALM_DATAGRAMS: DatagramFaults = {
  latencyMinMs: 1,
  latencyMaxMs: 3,
  loss: 0,
  duplicate: 0,
  heldBack: 0,
};

/** A datagram that is held back is late by up to so many of the longest latencies. */
const HELD_BACK = 50;

interface Bound {
  readonly name: string;
  readonly address: string;
  deliver(bytes: Uint8Array, from: string): void;
}

export interface DatagramNetworkOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly faults?: DatagramFaults;
}

export class SimulatedDatagramNetwork {
  faults: DatagramFaults;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #addresses = new Map<string, string>();
  readonly #bound = new Map<string, Bound>();
  readonly #cuts = new Set<string>();
  #bindings = 0;

  constructor(options: DatagramNetworkOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.faults = options.faults ?? CALM_DATAGRAMS;
  }

  /** The name leads there from now on. */
  bind(name: string): SimulatedDatagrams {
    this.#bindings += 1;
    const address = `10.0.0.${this.#bindings}:3301`;
    this.#addresses.set(name, address);
    return new SimulatedDatagrams(this, name, address);
  }

  listen(bound: Bound): void {
    this.#bound.set(bound.address, bound);
  }

  unbind(address: string): void {
    this.#bound.delete(address);
  }

  addressOf(name: string): string | undefined {
    return this.#addresses.get(name);
  }

  /** By names; in both directions. */
  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  cutOneWay(from: string, to: string): void {
    this.#cuts.add(`${from}|${to}`);
  }

  healCuts(): void {
    this.#cuts.clear();
  }

  transmit(from: Pick<Bound, 'name' | 'address'>, to: string, bytes: Uint8Array): void {
    const copies = this.#random.chance(this.faults.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (!this.#random.chance(this.faults.loss)) this.#carry(from, to, Uint8Array.from(bytes));
    }
  }

  #carry(from: Pick<Bound, 'name' | 'address'>, to: string, bytes: Uint8Array): void {
    const { latencyMinMs, latencyMaxMs, heldBack } = this.faults;
    const latencyMs = latencyMinMs + this.#random.fraction() * (latencyMaxMs - latencyMinMs);
    const isHeldBack = this.#random.chance(heldBack);
    const extraMs = isHeldBack ? this.#random.fraction() * HELD_BACK * latencyMaxMs : 0;
    this.#clock.sleep(latencyMs + extraMs).then(
      () => {
        const bound = this.#bound.get(to);
        if (bound === undefined || this.#cuts.has(`${from.name}|${bound.name}`)) return;
        bound.deliver(bytes, from.address);
      },
      () => undefined,
    );
  }
}

export class SimulatedDatagrams implements Datagrams {
  readonly name: string;
  readonly address: string;
  readonly #network: SimulatedDatagramNetwork;
  readonly #kept = new Map<string, string>();

  constructor(network: SimulatedDatagramNetwork, name: string, address: string) {
    this.#network = network;
    this.name = name;
    this.address = address;
  }

  async send(to: string, bytes: Uint8Array): Promise<void> {
    this.#network.transmit(this, this.#resolve(to), bytes);
  }

  onDatagram(listener: (bytes: Uint8Array, from: string) => void): void {
    const { name, address } = this;
    this.#network.listen({ name, address, deliver: listener });
  }

  forget(to: string): void {
    this.#kept.delete(to);
  }

  async close(): Promise<void> {
    this.#network.unbind(this.address);
  }

  #resolve(to: string): string {
    if (/^[\d.]+:\d+$/.test(to)) return to;
    const address = this.#kept.get(to) ?? this.#network.addressOf(to);
    if (address === undefined) throw new Error(`${to} is no known name`);
    this.#kept.set(to, address);
    return address;
  }
}
