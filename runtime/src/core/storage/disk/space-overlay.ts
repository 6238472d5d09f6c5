/** What the memory engine asks of the part of a space that is on the disk. */
import type { IndexDefinition, SpaceDefinition } from '../../schema/space-definition.ts';
import type { Arena } from '../memory/arena.ts';
import type { MemoryIndex } from '../memory/memory-index.ts';
import type { OrderedRange } from './ordered-store.ts';
import type { SettledRow, StoredSpaces } from './stored-spaces.ts';
import type { StoredIndex, StoredSpace } from './stored-state.ts';

/** What all disk spaces of an engine share. */
export interface DiskContext {
  readonly stored: StoredSpaces;
  readonly arena: Arena;
  readonly keyBytesMax: number;
  /** Of rows that are in memory for one page of a walk. */
  readonly pageBytes: number;
  /** An index over more rows would be built for too long in one step. */
  readonly builtRows: number;
  /** Are the rows that come now in the store already, so that the engine needs their definitions only? */
  readonly isCatchingUp: boolean;
}

export interface SpaceOverlay {
  readonly context: DiskContext;
  /** Truncations that the store has not seen yet: until then its rows are not those of this space. */
  truncations: number;
  /** What the store has of this space. */
  readonly stored: StoredSpace | undefined;
  /** A tuple was put into memory or taken out of it: the store comes to know of it later. */
  change(handle: number): void;
  /** The same for a row of the log that takes out a row which may not be in memory. */
  changeKey(bytes: Uint8Array, keyAt: number, parts: number): void;
  /** A change was taken back. */
  unchange(handle: number): void;
  /** The store has a change: with the last one of a row it goes from memory. Gives the handle to be freed, or 0. */
  settle(row: SettledRow): number;
  /** Of all rows. */
  count(): number;
  /** Lets warm rows go. Whoever holds a handle of one must not use it any more. */
  cool(): void;
  /** Before a row is looked for by a full key. */
  warmKey(index: MemoryIndex, bytes: Uint8Array, keyAt: number): void;
  /** Before a located tuple is put: rows that have one of its unique keys. It is located again then. */
  warmTuple(bytes: Uint8Array, at: number): void;
  /** Warms the first rows of a range, up to `most`: how many there were, and whether those were all. */
  warmFirst(
    index: MemoryIndex,
    range: (where: StoredIndex) => OrderedRange,
    most: number,
  ): { readonly count: number; readonly isAll: boolean };
  /** Does the store, rather than memory, say what there is of a row? */
  isOfStore(key: Uint8Array): boolean;
  primaryKeyAt(handle: number): Uint8Array;
  primaryKeyOf(tuple: Uint8Array, at: number): Uint8Array;
  /** Refuses a new index over too many rows, or with keys that are too long. Rows of the log are not asked. */
  requireBuildable(definition: IndexDefinition): void;
  /** Builds a new index over the rows of the store; is any key of it there twice? Then it is taken back. */
  addIndex(next: SpaceDefinition, index: MemoryIndex): boolean;
  /** Takes back that an index was created. */
  removeIndex(definition: IndexDefinition): void;
  /** Indexes whose rows the store has not seen, for rows that come there before them. */
  completeIndexes(): void;
}
