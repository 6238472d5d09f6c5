/** Gives the rows of a disk space for a snapshot, in the order of primary keys but for those of one part. */
import { MsgpackWriter } from '../../msgpack/encode.ts';
import { skip } from '../../msgpack/skip.ts';
import type { MemorySpace } from '../memory/memory-space.ts';
import { fieldCount, locateField } from '../memory/raw-values.ts';
import type { RowWriter } from '../row-writer.ts';
import { behindAll, compareKeys, IndexKeys, joinKeys } from './index-keys.ts';
import type { SpaceOverlay } from './space-overlay.ts';

export interface DiskScan {
  /** The primary key of the last row that was given, as an array in MessagePack. */
  readonly after: Uint8Array | undefined;
  readonly rows: RowWriter;
  readonly maxBytes: number;
}

/** Where to go on, as `after`; undefined behind the last row. */
export function scanDisk(
  space: MemorySpace,
  overlay: SpaceOverlay,
  { after, rows, maxBytes }: DiskScan,
): Uint8Array | undefined {
  const keys = new IndexKeys(space.primary().definition);
  const from = after === undefined ? undefined : keys.ofKey(after, 0, fieldCount(after, 0));
  const fromStore = scanStore(space, overlay, { from, rows, maxBytes });
  const fromMemory = scanMemory(space, overlay, {
    ...{ after, rows },
    maxBytes: rows.byteLength + maxBytes,
    upTo: fromStore === undefined ? undefined : keys.ofTuple(fromStore, 0),
  });
  const last = fromMemory ?? fromStore;
  return last === undefined ? undefined : keyOf(space, last);
}

/** The tuple of the last row when there are more. */
function scanStore(
  space: MemorySpace,
  overlay: SpaceOverlay,
  scan: {
    readonly from: Uint8Array | undefined;
    readonly rows: RowWriter;
    readonly maxBytes: number;
  },
): Uint8Array | undefined {
  const { from, rows, maxBytes } = scan;
  const { store } = overlay.context.stored;
  const primary = overlay.stored?.indexes.find(({ definition }) => definition.id === 0);
  if (primary === undefined) return undefined;
  const { prefix } = primary;
  const start = from === undefined ? prefix : behindAll(joinKeys(prefix, from));
  let last: Uint8Array | undefined;
  store.walk({ from: start, to: behindAll(prefix) }, (key, tuple) => {
    if (overlay.isOfStore(key.subarray(prefix.length))) {
      rows.replace(space.id, tuple, 0, tuple.length);
    }
    if (rows.byteLength < maxBytes) return true;
    last = tuple;
    return false;
  });
  return last;
}

/** Rows that are in memory, up to the key where the store stopped: the last one's tuple when there are more. */
function scanMemory(
  space: MemorySpace,
  overlay: SpaceOverlay,
  scan: {
    readonly after: Uint8Array | undefined;
    readonly rows: RowWriter;
    readonly maxBytes: number;
    readonly upTo: Uint8Array | undefined;
  },
): Uint8Array | undefined {
  const { after, rows, maxBytes, upTo } = scan;
  const { arena } = overlay.context;
  const primary = space.primary();
  const { tree } = primary;
  const place = { leaf: 0, slot: 0 };
  primary.toBehind(after, place);
  for (let handle = tree.handleAt(place); handle !== 0; handle = tree.handleAt(place)) {
    if (upTo !== undefined && compareKeys(overlay.primaryKeyAt(handle), upTo) > 0) return undefined;
    const start = arena.startOf(handle);
    const end = start + arena.sizeOf(handle);
    rows.replace(space.id, arena.chunkOf(handle), start, end);
    if (rows.byteLength >= maxBytes) return arena.chunkOf(handle).slice(start, end);
    tree.forward(place);
  }
  return undefined;
}

function keyOf(space: MemorySpace, tuple: Uint8Array): Uint8Array {
  const { parts } = space.primary().definition;
  const writer = new MsgpackWriter();
  writer.arrayHeader(parts.length);
  for (const { field } of parts) {
    const at = locateField(tuple, 0, field);
    writer.raw(tuple, at, skip(tuple, at));
  }
  return writer.take();
}
