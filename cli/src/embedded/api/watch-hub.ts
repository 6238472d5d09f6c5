/**
 * Hands every change to whoever watches, in the order of the resource versions, and keeps the last
 * changes so that a watch can go on where a list or an earlier watch ended. A watch from before the
 * kept history is told to list again (410): it would otherwise miss changes without knowing.
 */
import { expired } from './api-error.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

export interface Change {
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly storageId: string;
  readonly resourceVersion: number;
  readonly object: KubernetesObject;
  readonly previous: KubernetesObject | undefined;
}

export interface Subscription {
  close(): void;
}

export class WatchHub {
  readonly #capacity: number;
  readonly #history: Change[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  /** The version just before the oldest change that is still kept. */
  #floor: number;

  constructor(capacity: number, floor: number) {
    this.#capacity = capacity;
    this.#floor = floor;
  }

  publish(change: Change): void {
    this.#history.push(change);
    // Trimming in steps keeps a change cheap: each shift of a long list costs its length.
    if (this.#history.length > this.#capacity * 1.25) {
      const dropped = this.#history.splice(0, this.#history.length - this.#capacity);
      this.#floor = dropped.at(-1)?.resourceVersion ?? this.#floor;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** The changes after a version; throws 410 if some of them are no longer kept. */
  changesAfter(resourceVersion: number, current: number): readonly Change[] {
    if (resourceVersion < this.#floor || resourceVersion > current) {
      throw expired(`too old resource version: ${resourceVersion} (${this.#floor})`);
    }
    return this.#history.filter((change) => change.resourceVersion > resourceVersion);
  }

  subscribe(listener: (change: Change) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }
}
