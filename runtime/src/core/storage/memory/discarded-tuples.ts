/** Tuples of spaces that nobody reaches any more, which are freed a few at a time. */
import type { Arena } from './arena.ts';
import type { MemoryIndex } from './memory-index.ts';
import type { MemorySpace } from './memory-space.ts';
import type { TreePlace } from './tree.ts';

interface Discarded {
  readonly primary: MemoryIndex;
  readonly place: TreePlace;
}

export class DiscardedTuples {
  readonly #arena: Arena;
  #all: Discarded[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  add(space: MemorySpace): void {
    space.giveUpBuilds();
    const [primary, ...others] = space.indexes;
    for (const index of others) index.dispose();
    if (primary === undefined) return;
    if (!primary.isInOrder) {
      // While all is loaded nobody else waits.
      for (const handle of primary.handles()) this.#arena.free(handle);
      primary.dispose();
      return;
    }
    const place = { leaf: 0, slot: 0 };
    primary.tree.toStart(place);
    this.#all.push({ primary, place });
  }

  /** Frees some; false when nothing is left. */
  free(count: number): boolean {
    const [first] = this.#all;
    if (first === undefined) return false;
    const { primary, place } = first;
    for (let left = count; left > 0; left--) {
      const handle = primary.tree.handleAt(place);
      if (handle === 0) {
        primary.dispose();
        this.#all.shift();
        break;
      }
      primary.tree.forward(place);
      this.#arena.free(handle);
    }
    return this.#all.length > 0;
  }
}
