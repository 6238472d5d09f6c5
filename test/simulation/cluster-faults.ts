/** What happens to a simulated cluster: each run draws its own mixture, and how often. */
import { LARGEST_CLOCK_JUMP_MS } from '../../runtime/src/core/failover/lease-hold.ts';
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { CALM_NETWORK, type SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import type { ProviderFaults } from '../../runtime/src/testing/simulated-state-provider.ts';
import type { SimulatedStore } from '../../runtime/src/testing/simulated-store.ts';
import type { ClusterBug, FocusedBug } from './cluster-bugs.ts';
import type { Machine } from './cluster-machine.ts';

export interface FaultsOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly machines: readonly Machine[];
  /** A planted bug needs its own trouble; in the mixture it would take many seeds. */
  readonly bug: ClusterBug | FocusedBug | undefined;
  /** These kinds alone, if given: what needs several of them close together is rare in the mixture. */
  readonly only: readonly string[] | undefined;
  readonly note: (message: string) => void;
  readonly count: (what: string) => void;
  readonly violate: (message: string) => void;
}

type Fault = readonly [string, (machine: Machine, forMs: number) => void];

export class ClusterFaults {
  readonly #options: FaultsOptions;
  readonly #faults: readonly Fault[];
  #isOver = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#faults = this.#choose();
  }

  async until(endMs: number): Promise<void> {
    const { clock, random, network, machines } = this.#options;
    const everyMs = random.pick([250, 600, 1500]);
    const loss = (): number => random.fraction() * random.pick([0, 0, 0.05, 0.2]);
    network.faults = {
      latencyMinMs: 1,
      latencyMaxMs: random.pick([3, 3, 30, 100]),
      ...{ lossBefore: loss(), lossAfter: loss(), duplicate: loss() },
    };
    while (clock.monotonicMs() < endMs) {
      await clock.sleep(random.fraction() * 2 * everyMs);
      const [name, happen] = random.pick(this.#faults);
      const machine = this.#pickMachine(machines);
      const forMs = 50 + random.fraction() * random.pick([500, 1500, 4000]);
      this.#options.note(`${name}: ${machine.uuid.slice(-2)} for ${forMs.toFixed(0)}`);
      this.#options.count(name);
      happen(machine, forMs);
    }
  }

  /** Ends every fault; whoever is dead is started. */
  async heal(): Promise<void> {
    this.#isOver = true;
    const { network, machines } = this.#options;
    network.faults = CALM_NETWORK;
    network.healCuts();
    for (const machine of machines) {
      machine.process?.gate.resume();
      machine.setProviderFaults({});
    }
    await Promise.all(machines.map((machine) => this.#start(machine)));
  }

  /** Leaders oftener than others: it is they who can do harm. */
  #pickMachine(machines: readonly Machine[]): Machine {
    const { random } = this.#options;
    const leaders = machines.filter(({ isWritable }) => isWritable);
    return random.pick(leaders.length > 0 && random.chance(0.4) ? leaders : machines);
  }

  #choose(): readonly Fault[] {
    const { random, store, bug, only } = this.#options;
    const forgets = random.chance(0.2) || only !== undefined;
    const provider =
      (faults: Partial<ProviderFaults>) =>
      (machine: Machine, forMs: number): void =>
        this.#provider([machine], faults, forMs);
    const everyone =
      (faults: Partial<ProviderFaults>) =>
      (_machine: Machine, forMs: number): void =>
        this.#provider(this.#options.machines, faults, forMs);
    const all: readonly Fault[] = [
      ['kill', (machine, forMs) => this.#down(machine, forMs, () => machine.kill(true))],
      ['pod lost', (machine, forMs) => this.#down(machine, forMs, () => machine.kill(false))],
      ['stop', (machine, forMs) => this.#stop(machine, forMs)],
      ['reboot', (machine, forMs) => this.#down(machine, forMs, () => machine.reboot())],
      ['all reboot', (_, forMs) => this.#all(forMs, (other) => other.reboot())],
      ...(forgets ? [['provider forgets', () => store.forget()] satisfies Fault] : []),
      ['all killed', (_, forMs) => this.#all(forMs, (machine) => machine.kill(random.chance(0.8)))],
      ['pause', (machine, forMs) => this.#pause(machine, forMs)],
      ['suspend', (machine, forMs) => this.#suspend(machine, forMs)],
      ['cut one link', (machine, forMs) => this.#cut(machine, forMs, false)],
      ['cut from peers', (machine, forMs) => this.#cut(machine, forMs, true)],
      ['isolate', (machine, forMs) => this.#isolate(machine, forMs)],
      ['cut from provider', provider({ reach: 'silent' })],
      ['provider refuses', provider({ reach: 'refused' })],
      ['provider slow', provider({ delayMs: random.pick([200, 600]) })],
      ['replies lost', provider({ loseReply: 0.5, delayMs: 60 })],
      ['learns late', (machine, forMs) => this.#learnsLate(machine, forMs)],
      ['provider down', everyone({ reach: 'silent' })],
      ['provider down at once', everyone({ reach: 'refused' })],
      ['watches lost', (machine) => machine.breakWatches()],
      ['lease lost', (machine) => this.#loseLease(machine)],
      ['handover', (machine) => this.#handover(machine)],
      ['handover', (machine) => this.#handover(machine)],
      // Not in the mixture, which is as it was when its known seeds were found.
      ...(only === undefined
        ? []
        : [
            [
              'suspended away',
              (machine, forMs) => this.#suspendAway(machine, forMs),
            ] satisfies Fault,
            ['provider counts again', (machine) => this.#countAgain(machine)] satisfies Fault,
          ]),
    ];
    const needed = bug === 'deadline-from-answer' ? 'isolate' : undefined;
    const own = bug === 'epoch-not-compared' ? 'provider counts again' : needed;
    if (own !== undefined) return all.filter(([name]) => name === own);
    if (only !== undefined) return all.filter(([name]) => only.includes(name));
    // Few kinds at once go deeper; many meet each other.
    const density = random.pick([0.12, 0.5]);
    const chosen = all.filter(() => random.chance(density));
    return chosen.length > 0 ? chosen : all;
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
      this.#options.violate(`${machine.uuid.slice(-2)} did not start: ${String(error)}`);
    }
  }

  #down(machine: Machine, forMs: number, end: () => void): void {
    if (machine.process === undefined) return;
    end();
    this.#after(forMs, () => void this.#start(machine));
  }

  /** It starts again when it has ended; it is killed when that takes too long. */
  #stop(machine: Machine, forMs: number): void {
    const { process } = machine;
    if (process === undefined) return;
    machine.stop().then(
      () => this.#start(machine),
      (error: unknown) => this.#options.violate(`it did not stop: ${String(error)}`),
    );
    this.#after(forMs, () => {
      if (machine.process === process) machine.kill(true);
      void this.#start(machine);
    });
  }

  #all(forMs: number, end: (machine: Machine) => void): void {
    for (const machine of this.#options.machines) {
      end(machine);
      const lateMs = this.#options.random.fraction() * 300;
      this.#after(forMs / 4 + lateMs, () => void this.#start(machine));
    }
  }

  #pause({ process }: Machine, forMs: number): void {
    process?.gate.pause();
    this.#after(forMs, () => process?.gate.resume());
  }

  /** Not a pause for the machine: its monotonic clock stands still meanwhile. */
  #suspend(machine: Machine, forMs: number): void {
    const { process, clock } = machine;
    if (process?.gate.isOpen !== true) return;
    process.gate.pause();
    this.#after(forMs, () => {
      clock.resumed(forMs);
      process.gate.resume();
    });
  }

  /** Isolated, and meanwhile suspended for about as long as is still taken for a jitter of the clocks. */
  #suspendAway(machine: Machine, forMs: number): void {
    this.#isolate(machine, forMs);
    this.#suspend(machine, this.#options.random.fraction() * 1.2 * LARGEST_CLOCK_JUMP_MS);
  }

  #provider(machines: readonly Machine[], faults: Partial<ProviderFaults>, forMs: number): void {
    for (const machine of machines) machine.setProviderFaults(faults);
    this.#after(forMs, () => {
      for (const machine of machines) machine.setProviderFaults({});
    });
  }

  #cut(machine: Machine, forMs: number, fromAll: boolean): void {
    const { network, machines, random } = this.#options;
    const others = machines.filter((other) => other !== machine);
    const cut = fromAll ? others : [random.pick(others)];
    for (const other of cut) network.cut(machine.uuid, other.uuid);
    this.#after(forMs, () => network.healCuts());
  }

  /** Only clients reach it. */
  #isolate(machine: Machine, forMs: number): void {
    this.#cut(machine, forMs, true);
    this.#provider([machine], { reach: 'silent' }, forMs);
  }

  /** Its renewals are applied and their answers lost; it learns late what was applied; then it is isolated. */
  #learnsLate(machine: Machine, forMs: number): void {
    const { fencing_ttl: ttl } = machine.world.topology.failover;
    const { random } = this.#options;
    const lateMs = (0.25 + random.fraction() * 0.5) * ttl * 1000;
    const awayMs = lateMs + (0.05 + random.fraction() * 0.3) * ttl * 1000;
    const losesLease = random.chance(0.5);
    machine.setProviderFaults({ loseReply: 1 });
    this.#after(lateMs, () => machine.setProviderFaults({}));
    this.#after(awayMs, () => {
      this.#isolate(machine, forMs);
      if (losesLease) this.#loseLease(machine);
    });
  }

  /** It forgets, soon gives revisions again that it has just given, and requests from before arrive only then. */
  #countAgain(machine: Machine): void {
    const { store, random } = this.#options;
    this.#provider([machine], { delayMs: 2000 }, 800);
    this.#after(200 + random.fraction() * 600, () => {
      store.forget(Math.max(0, store.revision - 2 - random.integer(3)));
    });
  }

  #loseLease({ replicaSetUuid }: Machine): void {
    const key = `lease/${replicaSetUuid}`;
    this.#options.store.transact({ compare: [], writes: [{ kind: 'delete', key }] });
  }

  #handover({ process }: Machine): void {
    process?.failover.handover(undefined, 'asked for').then(
      () => this.#options.count('handed over'),
      // Refused: it does not lead, or nobody can take over.
      () => undefined,
    );
  }
}
