/** Rows of disk spaces in memory, in the order of their keys: what a process that was killed has left is there. */
import { compareKeys, textOf } from '../core/storage/disk/index-keys.ts';
import type { OrderedRange } from '../core/storage/disk/ordered-store.ts';
import { assert } from '../foundation/assert.ts';
import type { RowDatabase } from '../ports/row-database.ts';

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class SimulatedRowDatabase implements RowDatabase {
  readonly keyBytesMax = 1978;
  readonly #entries = new Map<string, Entry>();
  /** All of them; undefined when they have changed. */
  #sorted: readonly Entry[] | undefined;
  /** What the entries were that the change under way has touched. */
  #before: Map<string, Entry | undefined> | undefined;

  get size(): number {
    return this.#entries.size;
  }

  /** The machine crashes: what was not synced may be anything, so all of it goes. */
  crash(): void {
    this.#entries.clear();
    this.#sorted = undefined;
  }

  async open(): Promise<void> {
    // It is whole.
  }

  async wipe(): Promise<void> {
    this.crash();
  }

  async close(): Promise<void> {
    // Nothing was put off.
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(textOf(key))?.value;
  }

  walk(
    { from, to, isDownward = false }: OrderedRange,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    this.#sorted ??= [...this.#entries.values()].toSorted((a, b) => compareKeys(a.key, b.key));
    const within = this.#sorted.filter(
      ({ key }) => compareKeys(from, key) <= 0 && compareKeys(key, to) < 0,
    );
    for (const { key, value } of isDownward ? within.toReversed() : within) {
      if (!visit(key, value)) return;
    }
  }

  change(work: () => void): void {
    assert(this.#before === undefined, 'one change at a time');
    this.#before = new Map();
    try {
      work();
    } catch (error) {
      for (const [key, entry] of this.#before) this.#set(key, entry);
      throw error;
    } finally {
      this.#before = undefined;
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#change(textOf(key), { key: key.slice(), value: value.slice() });
  }

  remove(key: Uint8Array): void {
    this.#change(textOf(key), undefined);
  }

  #change(key: string, entry: Entry | undefined): void {
    assert(this.#before !== undefined, 'entries change within a change');
    if (key.length > this.keyBytesMax) throw new Error(`a key has ${key.length} bytes`);
    if (!this.#before.has(key)) this.#before.set(key, this.#entries.get(key));
    this.#set(key, entry);
  }

  #set(key: string, entry: Entry | undefined): void {
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    this.#sorted = undefined;
  }
}
