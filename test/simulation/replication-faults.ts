/** What is done to a replica set in a run, and how all of it is healed in the end. */
import { sameSeat } from '../../runtime/src/core/replication/leader-progress.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { SimulatedClock } from '../../runtime/src/testing/simulated-clock.ts';
import { CALM_NETWORK, type SimulatedNetwork } from '../../runtime/src/testing/simulated-peers.ts';
import type { SimulatedInstance } from './replication-instance.ts';
import type { LeadershipStore } from './replication-leadership.ts';

export interface ReplicationFaultsOptions {
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly store: LeadershipStore;
  readonly instances: () => readonly SimulatedInstance[];
  /** An instance is lost for good: no other may lose what it has not synced. */
  readonly losesOne: boolean;
  readonly note: (text: string) => void;
  readonly violate: (text: string) => void;
}

export class ReplicationFaults {
  /** Processes that have ended themselves. */
  ended = 0;
  readonly #clock: SimulatedClock;
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #store: LeadershipStore;
  readonly #options: ReplicationFaultsOptions;
  #isCalm = false;

  constructor(options: ReplicationFaultsOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#network = options.network;
    this.#store = options.store;
    this.#options = options;
  }

  get #instances(): readonly SimulatedInstance[] {
    return this.#options.instances();
  }

  /** Each run draws its own mix: some are gentle on one axis and cruel on another. */
  async disturb(untilMs: number): Promise<void> {
    const random = this.#random;
    const loss = (): number => random.fraction() * random.pick([0, 0.02, 0.2]);
    this.#network.faults = {
      latencyMinMs: 1,
      latencyMaxMs: random.pick([3, 30, 150]),
      lossBefore: loss(),
      lossAfter: loss(),
      duplicate: loss(),
    };
    this.#store.faults = { lossBefore: loss(), lossAfter: loss() };
    const everyMs = random.pick([300, 800, 2500]);
    const faults: readonly (readonly [string, (instance: SimulatedInstance) => void])[] = [
      ['kill', (instance) => this.#restart(instance, () => instance.kill())],
      ['reboot', (instance) => this.#restart(instance, () => this.#reboot(instance))],
      ['pause', (instance) => this.#pause(instance)],
      ['cut', (instance) => this.#cut(instance)],
      ['cut from the store', (instance) => this.#cutFromStore(instance)],
      ['isolate', (instance) => this.#isolate(instance)],
      ['leave in the dark', (instance) => this.#leaveInTheDark(instance)],
      ['reseed', (instance) => this.#reseed(instance)],
      ['fill the disk of', (instance) => this.#fill(instance)],
      ['fail the syncs of', (instance) => this.#failSyncs(instance)],
    ];
    const chosen = faults.filter(() => random.chance(0.6));
    while (this.#clock.monotonicMs() < untilMs) {
      await this.#clock.sleep(random.fraction() * 2 * everyMs);
      if (chosen.length === 0) continue;
      const [name, act] = random.pick(chosen);
      const instance = random.pick(this.#instances);
      this.#options.note(`${name} ${instance.uuid}`);
      act(instance);
    }
  }

  /** A process ends itself only for what was done to it. */
  onEnd(instance: SimulatedInstance, error: unknown): void {
    const { faults } = instance.disk;
    const isAllowed =
      instance.disk.peek('reseed.json') !== undefined ||
      faults.failSyncs ||
      faults.capacity < Number.POSITIVE_INFINITY;
    if (!isAllowed)
      this.#options.violate(`the storage of ${instance.uuid} failed: ${String(error)}`);
    this.#options.note(`${instance.uuid} ends itself: ${String(error)}`);
    this.ended += 1;
    instance.kill();
    this.#later(1000, () => {
      this.#repair(instance);
      void this.#startAgain(instance);
    });
  }

  /** A minority: one of three. */
  destroy(): void {
    const instance = this.#oftenLeader();
    this.#options.note(`destroy ${instance.uuid}`);
    instance.destroy();
  }

  #oftenLeader(): SimulatedInstance {
    const leader = this.#instances.find(({ uuid }) => uuid === this.#store.record?.leader);
    const random = this.#random.pick(this.#instances);
    return this.#random.chance(0.5) ? (leader ?? random) : random;
  }

  #repair({ disk }: SimulatedInstance): void {
    disk.faults.capacity = Number.POSITIVE_INFINITY;
    disk.faults.failSyncs = false;
  }

  #reseed(instance: SimulatedInstance): void {
    // That it is refused, or ends the process, is right both times.
    instance.replication?.reseed({ force: false }).catch(() => undefined);
  }

  #fill(instance: SimulatedInstance): void {
    instance.disk.leaveRoom(this.#random.integer(600));
    this.#later(3000, () => this.#repair(instance));
  }

  #failSyncs(instance: SimulatedInstance): void {
    instance.disk.faults.failSyncs = true;
    this.#later(500, () => this.#repair(instance));
  }

  #restart(instance: SimulatedInstance, end: () => void): void {
    if (instance.storage === undefined) return;
    end();
    this.#later(2000, () => void this.#startAgain(instance));
  }

  async #startAgain(instance: SimulatedInstance): Promise<void> {
    try {
      if (instance.storage !== undefined || instance.isDestroyed) return;
      await instance.start();
      this.#options.note(`${instance.uuid} has started again at ${positionOf(instance)}`);
    } catch (error) {
      if (isDiskFailure(error)) {
        this.#later(500, () => void this.#startAgain(instance));
        return;
      }
      this.#options.violate(`${instance.uuid} did not start: ${String(error)}`);
    }
  }

  /** Never of the last seat, nor beside a loss for good: with those gone, acknowledged rows may be gone as well. */
  #reboot(instance: SimulatedInstance): void {
    if (this.#hasOtherSeat(instance) && !this.#options.losesOne) instance.reboot();
    else instance.kill();
  }

  #hasOtherSeat(instance: SimulatedInstance): boolean {
    const { inSync = [] } = this.#store.record ?? {};
    return this.#instances.some(
      (other) => other !== instance && inSync.some((seat) => sameSeat(seat, other.seat)),
    );
  }

  #pause(instance: SimulatedInstance): void {
    instance.pause();
    this.#later(3000, () => instance.resume());
  }

  #cut(instance: SimulatedInstance): void {
    const other = this.#random.pick(this.#instances);
    if (other !== instance) this.#network.cut(instance.uuid, other.uuid);
    this.#later(4000, () => this.#network.healCuts());
  }

  /** Only clients reach it: the hardest test of a leader. */
  #isolate(instance: SimulatedInstance): void {
    for (const other of this.#instances) {
      if (other !== instance) this.#network.cut(instance.uuid, other.uuid);
    }
    this.#later(4000, () => this.#network.healCuts());
    this.#cutFromStore(instance);
  }

  /** Nobody can tell it that another one leads, but for those that follow. */
  #leaveInTheDark(instance: SimulatedInstance): void {
    this.#network.cut(instance.uuid, 'coordinator');
    this.#later(4000, () => this.#network.healCuts());
    this.#cutFromStore(instance);
  }

  #cutFromStore({ uuid }: SimulatedInstance): void {
    const { faults } = this.#store;
    this.#store.cutOff(uuid);
    this.#later(3000, () => {
      this.#store.heal();
      if (!this.#isCalm) this.#store.faults = faults;
    });
  }

  #later(withinMs: number, act: () => void): void {
    const delayMs = this.#random.fraction() * withinMs;
    this.#clock.sleep(delayMs).then(act, () => undefined);
  }

  /** Everything heals, and what is still broken by then (started late) has time to. */
  async calm(forMs: number): Promise<void> {
    this.#isCalm = true;
    this.#network.faults = CALM_NETWORK;
    await this.#clock.sleep(5000);
    this.#network.healCuts();
    this.#store.heal();
    for (const instance of this.#instances) {
      instance.resume();
      this.#repair(instance);
    }
    await this.#clock.sleep(forMs);
  }
}

function isDiskFailure(error: unknown): boolean {
  const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : '';
  return text.includes('ENOSPC') || text.includes('EIO');
}

function positionOf({ storage }: SimulatedInstance): string {
  return storage === undefined ? 'none' : `${storage.position.term}/${storage.position.sequence}`;
}
