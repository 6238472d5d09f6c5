/**
 * A process that can be killed at any await point: after `kill()` whatever it awaits from a port never comes.
 *
 * Ports are wrapped, and every pass through one counts as a step, so that a kill can be aimed at the n-th.
 */
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { Peers } from '../../runtime/src/ports/peers.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';

export class SimulatedProcess {
  readonly #onKill: () => void;
  #isAlive = true;
  #stepsLeft = Number.POSITIVE_INFINITY;

  /** `onKill` is called once, in the moment of death. */
  constructor(onKill: () => void) {
    this.#onKill = onKill;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#onKill();
  }

  killAfterSteps(steps: number): void {
    this.#stepsLeft = steps;
  }

  clock(clock: Clock): Clock {
    return {
      monotonicMs: () => clock.monotonicMs(),
      wallTime: () => clock.wallTime(),
      sleep: (delayMs, signal) => this.#pass(() => clock.sleep(delayMs, signal)),
    };
  }

  peers(peers: Peers): Peers {
    return {
      call: (address, method, body, options) =>
        this.#pass(() => peers.call(address, method, body, options)),
    };
  }

  disk(disk: Disk): Disk {
    return {
      read: (file) => this.#pass(() => disk.read(file)),
      writeAtomic: (file, bytes) => this.#pass(() => disk.writeAtomic(file, bytes)),
      readPart: (file, offset, length) => this.#pass(() => disk.readPart(file, offset, length)),
      size: (file) => this.#pass(() => disk.size(file)),
      openAppend: (file) => this.#pass(() => disk.openAppend(file)),
      truncate: (file, size) => this.#pass(() => disk.truncate(file, size)),
      rename: (from, to) => this.#pass(() => disk.rename(from, to)),
      remove: (target) => this.#pass(() => disk.remove(target)),
      list: (folder) => this.#pass(() => disk.list(folder)),
    };
  }

  provider(provider: StateProvider): StateProvider {
    return {
      get: (key, options) => this.#pass(() => provider.get(key, options)),
      list: (prefix, options) => this.#pass(() => provider.list(prefix, options)),
      transact: (transaction, options) => this.#pass(() => provider.transact(transaction, options)),
      watch: (prefix, fromRevision, onChanges, signal) =>
        this.#pass(() => provider.watch(prefix, fromRevision, onChanges, signal)),
      placeOf: (revision) => provider.placeOf(revision),
      revisionAt: (place) => this.#pass(() => provider.revisionAt(place)),
      close: () => this.#pass(() => provider.close()),
    };
  }

  async #pass<T>(effect: () => Promise<T>): Promise<T> {
    await this.#step();
    try {
      return await effect();
    } finally {
      await this.#step();
    }
  }

  async #step(): Promise<void> {
    this.#stepsLeft -= 1;
    if (this.#stepsLeft <= 0) this.kill();
    if (!this.#isAlive) await new Promise<never>(() => undefined);
  }
}
