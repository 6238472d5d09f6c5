/** What happens to a simulated cluster: each run draws its own mixture, and how often; then it is played, and healed. */
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { CALM_NETWORK, type NetworkFaults } from '../../runtime/src/testing/simulated-peers.ts';
import { type FaultKind, type FaultWorld, faultKinds } from './cluster-fault-kinds.ts';
import type { ClusterFocus } from './cluster-focuses.ts';
import type { Machine } from './cluster-machine.ts';
import type { FaultEvent } from './cluster-script.ts';

/** Every fault of a run, with its moment. */
export function planFaults(
  random: SeededRandom,
  machines: readonly string[],
  { forMs, focus }: { readonly forMs: number; readonly focus: ClusterFocus | undefined },
): readonly FaultEvent[] {
  const kinds = chooseKinds(random, focus?.faults);
  const drawnMs = random.pick([250, 600, 1500]);
  const everyMs = focus?.everyMs ?? drawnMs;
  const events: FaultEvent[] = [];
  for (let atMs = nextMs(0); atMs < forMs; atMs = nextMs(atMs)) {
    events.push({
      ...{ atMs, kind: random.pick(kinds).name, machine: random.pick(machines) },
      // Leaders oftener than others: it is they who can do harm.
      wantsLeader: random.chance(0.4),
      forMs: Math.round(50 + random.fraction() * random.pick([500, 1500, 4000])),
      salt: random.integer(1_000_000),
    });
  }
  return events;

  function nextMs(atMs: number): number {
    return Math.round(atMs + random.fraction() * 2 * everyMs) + 1;
  }
}

/** Few kinds at once go deeper; many meet each other. */
function chooseKinds(
  random: SeededRandom,
  only: readonly string[] | undefined,
): readonly FaultKind[] {
  const density = random.pick([0.12, 0.5]);
  const possible =
    only === undefined
      ? faultKinds.filter(({ share = 1 }) => random.chance(share))
      : faultKinds.filter(({ name }) => only.includes(name));
  const chosen = only === undefined ? possible.filter(() => random.chance(density)) : possible;
  const kinds = chosen.length > 0 ? chosen : possible;
  return kinds.flatMap((kind) => Array.from({ length: kind.weight ?? 1 }, () => kind));
}

/** Rounded, so that a script says all of it. */
export function planNetwork(random: SeededRandom): NetworkFaults {
  const loss = (): number =>
    Math.round(1000 * random.fraction() * random.pick([0, 0, 0.05, 0.2])) / 1000;
  return {
    latencyMinMs: 1,
    latencyMaxMs: random.pick([3, 3, 30, 100]),
    ...{ lossBefore: loss(), lossAfter: loss(), duplicate: loss() },
  };
}

export interface FaultsOptions extends Omit<FaultWorld, 'after' | 'start'> {
  readonly clock: Clock;
  readonly note: (message: string) => void;
}

export class ClusterFaults {
  /** What has happened, with the machines that were met. */
  readonly played: FaultEvent[] = [];
  readonly #options: FaultsOptions;
  readonly #world: FaultWorld;
  #isOver = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#world = {
      ...options,
      after: (delayMs, happen) => this.#after(delayMs, happen),
      start: (machine) => this.#start(machine),
    };
  }

  async play(events: readonly FaultEvent[], network: NetworkFaults, endMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#options.network.faults = network;
    for (const event of events) {
      await this.#sleepUntil(clock, event.atMs);
      this.#happen(event);
    }
    await this.#sleepUntil(clock, endMs);
  }

  /** Ends every fault; whoever is dead is started. */
  async heal(): Promise<void> {
    this.#isOver = true;
    const { network, machines } = this.#options;
    network.faults = CALM_NETWORK;
    network.healCuts();
    for (const machine of machines) {
      machine.process?.resume();
      machine.process?.changes.pause(false);
      machine.setProviderFaults({});
      machine.state = 'RolesConfigured';
    }
    await Promise.all(machines.map((machine) => this.#start(machine)));
  }

  async #sleepUntil(clock: Clock, atMs: number): Promise<void> {
    const restMs = atMs - clock.monotonicMs();
    if (restMs > 0) await clock.sleep(restMs);
  }

  #happen(event: FaultEvent): void {
    const { note, count } = this.#options;
    const kind = faultKinds.find(({ name }) => name === event.kind);
    if (kind === undefined) throw new Error(`There is no fault "${event.kind}".`);
    const random = new SeededRandom(event.salt);
    const machine = this.#met(event, random);
    const { forMs } = event;
    note(`${kind.name}: ${machine.name} for ${forMs}`);
    count(kind.name);
    this.played.push({ ...event, machine: machine.name, wantsLeader: false });
    kind.happen(this.#world, { machine, forMs, random: new SeededRandom(event.salt) });
  }

  #met({ machine, wantsLeader }: FaultEvent, random: SeededRandom): Machine {
    const { machines } = this.#options;
    const leaders = machines.filter(({ isWritable }) => isWritable);
    if (wantsLeader && leaders.length > 0) return random.pick(leaders);
    const named = machines.find(({ name }) => name === machine);
    if (named === undefined) throw new Error(`There is no machine "${machine}".`);
    return named;
  }

  #after(delayMs: number, happen: () => void): void {
    this.#options.clock.sleep(delayMs).then(
      () => {
        if (!this.#isOver) happen();
      },
      () => undefined,
    );
  }

  async #start(machine: Machine): Promise<void> {
    try {
      await machine.start();
    } catch (error) {
      this.#options.violate(`${machine.name} did not start: ${String(error)}`);
    }
  }
}
