/**
 * Walks through an index of a disk space, page by page.
 *
 * Of each page the first rows that the store has are warmed. Everything else in the range is in memory anyway, so as
 * many rows as were warmed, in the order of memory, are the first of both.
 */

import { assert } from '../../../foundation/assert.ts';
import { skip } from '../../msgpack/skip.ts';
import type { MemoryIndex } from '../memory/memory-index.ts';
import type { MemorySpace } from '../memory/memory-space.ts';
import { firstField } from '../memory/raw-values.ts';
import { iterators, type Range, type Selection } from '../memory/selection.ts';
import { behindAll, compareKeys, joinKeys } from './index-keys.ts';
import type { OrderedRange } from './ordered-store.ts';
import type { DiskContext, SpaceOverlay } from './space-overlay.ts';
import type { StoredIndex } from './stored-state.ts';

const PAGE_ROWS = 256;
const { EQ, REQ, LT, LE, GT } = iterators;
const downward: ReadonlySet<number> = new Set([REQ, LE, LT]);

export interface WalkOptions {
  readonly space: MemorySpace;
  readonly index: MemoryIndex;
  readonly range: Range;
  readonly offset: number;
  readonly limit: number;
}

export function walkDisk(
  selection: Selection,
  options: WalkOptions,
  visit: (handle: number) => void,
): void {
  const { space, index, range, offset, limit } = options;
  const { overlay } = space;
  assert(overlay !== undefined, 'only spaces of engine disk are walked so');
  const { context } = overlay;
  // Refuses what the index does not offer.
  selection.start(space, index, range);
  let page = range;
  let skipped = 0;
  for (let left = offset + limit; left > 0; ) {
    overlay.cool();
    const bounds = (where: StoredIndex): OrderedRange => boundsOf(where, overlay, page);
    const { count, isAll } = overlay.warmFirst(index, bounds, Math.min(left, PAGE_ROWS));
    selection.start(space, index, page);
    const most = isAll ? left : count;
    let last = 0;
    for (let given = 0; given < most; given++) {
      last = selection.next();
      if (last === 0) return;
      if (skipped < offset) skipped += 1;
      else visit(last);
    }
    if (isAll) return;
    left -= most;
    page = behind(context, range, last);
  }
}

/** The same range, from behind a tuple on. */
function behind({ arena }: DiskContext, range: Range, handle: number): Range {
  const { bytes, keyAt, keyParts } = range;
  let end = firstField(bytes, keyAt);
  for (let part = 0; part < keyParts; part++) end = skip(bytes, end);
  const start = arena.startOf(handle);
  const tuple = arena.chunkOf(handle).subarray(start, start + arena.sizeOf(handle));
  const key = bytes.subarray(keyAt, end);
  return { ...range, bytes: joinKeys(key, tuple), keyAt: 0, afterAt: key.length };
}

function boundsOf(where: StoredIndex, overlay: SpaceOverlay, range: Range): OrderedRange {
  const { bytes, afterAt } = range;
  const isDownward = downward.has(range.iterator);
  let { from, to } = boundsOfKey(where, range);
  if (afterAt >= 0) {
    const own = where.keys.ofTuple(bytes, afterAt);
    const isPrimary = where.definition.id === 0;
    const rest = isPrimary ? new Uint8Array() : overlay.primaryKeyOf(bytes, afterAt);
    const after = joinKeys(where.prefix, own, rest);
    const behind = behindAll(after);
    if (isDownward) to = compareKeys(after, to) < 0 ? after : to;
    else if (compareKeys(behind, from) > 0) from = behind;
  }
  const { keyBytesMax } = overlay.context;
  return { from: shortened(from, keyBytesMax), to: shortened(to, keyBytesMax), isDownward };
}

function boundsOfKey({ prefix, keys }: StoredIndex, range: Range): OrderedRange {
  const { bytes, iterator, keyAt, keyParts } = range;
  const all = { from: prefix, to: behindAll(prefix) };
  if (keyParts === 0) return all;
  const key = joinKeys(prefix, keys.ofKey(bytes, keyAt, keyParts));
  const behind = behindAll(key);
  switch (iterator) {
    case EQ:
    case REQ:
      return { from: key, to: behind };
    case GT:
      return { ...all, from: behind };
    case LE:
      return { ...all, to: behind };
    case LT:
      return { ...all, to: key };
    default:
      return { ...all, from: key };
  }
}

/** No key is longer, so the first that is behind a longer one is behind all that begin as that one does. */
function shortened(key: Uint8Array, most: number): Uint8Array {
  return key.length <= most ? key : behindAll(key.subarray(0, most));
}
