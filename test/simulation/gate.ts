/**
 * What stands between a simulated process and its ports: nothing passes while the process is paused, and nothing ever
 * again when it is dead.
 */
import type { Clock } from '../../runtime/src/foundation/clock.ts';
import type { Disk } from '../../runtime/src/ports/disk.ts';
import type { InternalHandlers, Peers } from '../../runtime/src/ports/peers.ts';

export class Gate {
  #isDead = false;
  #pauses = 0;
  #paused: Promise<void> | undefined;
  #resume = (): void => undefined;

  /** Would anything pass now? */
  get isOpen(): boolean {
    return !this.#isDead && this.#paused === undefined;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** How often it was paused. */
  get pauses(): number {
    return this.#pauses;
  }

  async pass(): Promise<void> {
    while (this.#paused !== undefined) await this.#paused;
    if (this.#isDead) await new Promise<never>(() => undefined);
  }

  pause(): void {
    if (this.#paused !== undefined) return;
    this.#pauses++;
    this.#paused = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#paused = undefined;
    this.#resume();
  }

  kill(): void {
    this.#isDead = true;
    this.resume();
  }
}

export function gatedClock(clock: Clock, gate: Gate): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallTime: () => clock.wallTime(),
    async sleep(delayMs, signal) {
      await clock.sleep(delayMs, signal);
      if (!gate.isOpen) await gate.pass();
    },
  };
}

export function gatedDisk(disk: Disk, gate: Gate): Disk {
  const gated = async <T>(result: Promise<T>): Promise<T> => {
    const value = await result;
    if (!gate.isOpen) await gate.pass();
    return value;
  };
  return {
    read: (file) => gated(disk.read(file)),
    writeAtomic: (file, bytes) => gated(disk.writeAtomic(file, bytes)),
    readPart: (file, offset, length) => gated(disk.readPart(file, offset, length)),
    size: (file) => gated(disk.size(file)),
    openAppend: async (path) => {
      const file = await gated(disk.openAppend(path));
      return {
        write: (bytes) => file.write(bytes),
        sync: () => gated(file.sync()),
        close: () => gated(file.close()),
      };
    },
    truncate: (file, size) => gated(disk.truncate(file, size)),
    rename: (from, to) => gated(disk.rename(from, to)),
    remove: (file) => gated(disk.remove(file)),
    list: (folder) => gated(disk.list(folder)),
  };
}

export function gatedPeers(peers: Peers, gate: Gate): Peers {
  return {
    async call(address, method, body, options) {
      try {
        return await peers.call(address, method, body, options);
      } finally {
        if (!gate.isOpen) await gate.pass();
      }
    },
  };
}

export function gatedHandlers(handlers: InternalHandlers, gate: Gate): InternalHandlers {
  return new Map(
    [...handlers].map(([method, handle]) => [
      method,
      async (body: unknown): Promise<unknown> => {
        if (!gate.isOpen) await gate.pass();
        return handle(body);
      },
    ]),
  );
}
