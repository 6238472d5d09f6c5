/**
 * A disk that forgets what was not synced when its machine crashes.
 *
 * `mount()` gives one process its view. After `crash()` or `unmount()` the views given before hang for ever, as they do
 * for a dead process: what it awaited never comes. An operation that was under way has happened or has not.
 */
import type { Clock } from '../foundation/clock.ts';
import type { AppendFile, Disk } from '../ports/disk.ts';
import type { SeededRandom } from './seeded-random.ts';

interface StoredFile {
  readonly bytes: Uint8Array;
  /** How much of it survives a crash of the machine. */
  readonly durable: number;
}

export interface SimulatedDiskOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** Longest time that one operation takes. */
  readonly latencyMs?: number;
}

/** What is wrong with a disk now. */
export interface DiskFaults {
  /** A write that would make all files together larger than this stops there. */
  capacity: number;
  /** Every sync and every durable write fails. */
  failSyncs: boolean;
}

export class SimulatedDisk {
  readonly faults: DiskFaults = { capacity: Number.POSITIVE_INFINITY, failSyncs: false };
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #latencyMs: number;
  #files = new Map<string, StoredFile>();
  #generation = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#latencyMs = options.latencyMs ?? 2;
  }

  /** The view of a process that starts now. */
  mount(): Disk {
    const generation = this.#generation;
    const run = <T>(effect: () => T): Promise<T> => this.#run(generation, effect);
    return {
      read: (file) => run(() => this.#files.get(file)?.bytes.slice()),
      writeAtomic: (file, bytes) => run(() => this.#replace(file, bytes.slice())),
      readPart: (file, offset, length) =>
        run(() => this.#files.get(file)?.bytes.slice(offset, offset + length)),
      size: (file) => run(() => this.#files.get(file)?.bytes.length),
      openAppend: (file) => run(() => this.#open(file, generation)),
      truncate: (file, size) =>
        run(() => this.#store(file, this.#existing(file).bytes.slice(0, size), size)),
      rename: (from, to) => run(() => this.#rename(from, to)),
      remove: (target) => run(() => this.#remove(target)),
      list: (folder) => run(() => this.#list(folder)),
    };
  }

  /** The process dies; the machine and its page cache live. */
  unmount(): void {
    this.#generation += 1;
  }

  /** The machine dies: of what was appended without sync, any part at the end is lost. */
  crash(): void {
    this.unmount();
    for (const [file, { bytes, durable }] of this.#files) {
      const kept = durable + this.#random.integer(bytes.length - durable + 1);
      this.#store(file, bytes.slice(0, kept), kept);
    }
  }

  /** From now on no more than so many bytes can be written, until the capacity is set anew. */
  leaveRoom(bytes: number): void {
    this.faults.capacity = this.#usedBytes() + bytes;
  }

  /** For checkers: reads at once, whoever runs. */
  peek(file: string): Uint8Array | undefined {
    return this.#files.get(file)?.bytes;
  }

  /** For tests: puts a file there, as someone else's hands would. */
  plant(file: string, bytes: Uint8Array): void {
    this.#store(file, bytes, bytes.length);
  }

  names(folder: string): readonly string[] {
    return this.#list(folder);
  }

  async #run<T>(generation: number, effect: () => T): Promise<T> {
    if (this.#latencyMs > 0) await this.#clock.sleep(this.#random.fraction() * this.#latencyMs);
    // Of a dead process nothing happens any more, and nothing comes back to it.
    if (generation !== this.#generation) return new Promise<never>(() => undefined);
    return effect();
  }

  #store(file: string, bytes: Uint8Array, durable: number): void {
    this.#files.set(file, { bytes, durable });
  }

  #existing(file: string): StoredFile {
    const stored = this.#files.get(file);
    if (stored === undefined) throw new Error(`ENOENT: ${file}`);
    return stored;
  }

  #open(file: string, generation: number): AppendFile {
    if (!this.#files.has(file)) this.#store(file, new Uint8Array(), 0);
    return {
      write: (bytes) => {
        // Nothing of a dead process comes to its disk; what it makes of the failure nobody sees.
        if (generation !== this.#generation) throw new Error('this process is dead');
        this.#append(file, bytes);
      },
      sync: () => {
        const { length } = this.#existing(file).bytes;
        return this.#run(generation, () => this.#sync(file, length));
      },
      close: () => this.#run(generation, () => undefined),
    };
  }

  #append(file: string, bytes: Uint8Array): void {
    const before = this.#existing(file);
    const fitting = bytes.subarray(0, this.#room());
    const joined = new Uint8Array(before.bytes.length + fitting.length);
    joined.set(before.bytes);
    joined.set(fitting, before.bytes.length);
    this.#store(file, joined, before.durable);
    if (fitting.length < bytes.length) throw new Error('ENOSPC: no space left on device');
  }

  #replace(file: string, bytes: Uint8Array): void {
    if (this.faults.failSyncs) throw new Error('EIO: fsync failed');
    const before = this.#files.get(file)?.bytes.length ?? 0;
    if (bytes.length - before > this.#room()) {
      throw new Error('ENOSPC: no space left on device');
    }
    this.#store(file, bytes, bytes.length);
  }

  #sync(file: string, length: number): void {
    if (this.faults.failSyncs) throw new Error('EIO: fsync failed');
    const { bytes, durable } = this.#existing(file);
    this.#store(file, bytes, Math.max(durable, Math.min(length, bytes.length)));
  }

  #room(): number {
    if (this.faults.capacity === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.faults.capacity - this.#usedBytes());
  }

  #usedBytes(): number {
    return [...this.#files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #rename(from: string, to: string): void {
    const below = [...this.#files].filter(([file]) => file === from || isInside(file, from));
    if (below.length === 0) throw new Error(`ENOENT: ${from}`);
    if ([...this.#files.keys()].some((file) => isInside(file, to))) {
      throw new Error(`ENOTEMPTY: ${to}`);
    }
    for (const [file, stored] of below) {
      this.#files.delete(file);
      this.#files.set(`${to}${file.slice(from.length)}`, stored);
    }
  }

  #remove(target: string): void {
    for (const file of [...this.#files.keys()]) {
      if (file === target || isInside(file, target)) this.#files.delete(file);
    }
  }

  #list(folder: string): readonly string[] {
    const start = folder === '.' ? '' : `${folder}/`;
    const names = [...this.#files.keys()]
      .filter((file) => file.startsWith(start))
      .map((file) => file.slice(start.length).split('/')[0] ?? '');
    return [...new Set(names)].toSorted();
  }
}

function isInside(file: string, folder: string): boolean {
  return file.startsWith(`${folder}/`);
}
