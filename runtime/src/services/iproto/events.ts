/**
 * What clients watch: values under keys, of which each watcher is told the newest.
 *
 * A watcher that has been told something must say that it has it before it is told the next, so that a slow one is
 * never sent more than one event, and the last value reaches everybody.
 */
import type { Value } from '../../core/schema/values.ts';

export interface Watcher {
  /** Called with what is known of the key; undefined where nothing is. */
  told(key: string, value: Value | undefined): void;
}

interface Watch {
  readonly watcher: Watcher;
  /** Of the value that was sent last; -1 before. */
  sentVersion: number;
  isAcknowledged: boolean;
}

interface Entry {
  version: number;
  value: Value | undefined;
  readonly watches: Map<Watcher, Watch>;
}

export class Events {
  readonly #entries = new Map<string, Entry>();

  publish(key: string, value: Value): void {
    const entry = this.#entry(key);
    entry.version += 1;
    entry.value = value;
    for (const watch of entry.watches.values()) tell(key, entry, watch);
  }

  value(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Asks to be told of `key`, or says that the last event has come. */
  watch(key: string, watcher: Watcher): void {
    const entry = this.#entry(key);
    const watch = entry.watches.get(watcher) ?? { watcher, sentVersion: -1, isAcknowledged: true };
    watch.isAcknowledged = true;
    entry.watches.set(watcher, watch);
    tell(key, entry, watch);
  }

  unwatch(key: string, watcher: Watcher): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.watches.delete(watcher);
    if (entry.watches.size === 0 && entry.value === undefined) this.#entries.delete(key);
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { version: 0, value: undefined, watches: new Map() };
      this.#entries.set(key, entry);
    }
    return entry;
  }
}

function tell(key: string, entry: Entry, watch: Watch): void {
  if (!watch.isAcknowledged || watch.sentVersion === entry.version) return;
  watch.isAcknowledged = false;
  watch.sentVersion = entry.version;
  watch.watcher.told(key, entry.value);
}
