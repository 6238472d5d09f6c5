/** Gives everything of an engine as rows, a part at a time. */
import type { ScanCursor, ScannedRows } from '../engine.ts';
import { RowWriter } from '../row-writer.ts';
import type { MemoryRows } from './memory-rows.ts';
import type { MemorySpace } from './memory-space.ts';

export function scanSpaces(
  engine: MemoryRows,
  from: ScanCursor | undefined,
  maxBytes: number,
): ScannedRows {
  const rows = new RowWriter();
  const spaces = engine.catalog.inOrder();
  if (from === undefined) {
    for (const { definition, last } of engine.catalog.sequences.values()) {
      rows.row({ kind: 'create-sequence', definition });
      if (last !== undefined) {
        rows.row({ kind: 'set-sequence', name: definition.name, value: last });
      }
    }
    for (const { definition } of spaces) rows.row({ kind: 'create-space', definition });
  }
  for (const space of spaces) {
    if (space.id < (from?.space ?? 0) || space.indexes.length === 0) continue;
    const last = scanSpace(engine, space, { from, rows, maxBytes });
    if (last !== 0) {
      const after = engine.primaryKeyOf(space, last).take();
      return { ...rows.take(), next: { space: space.id, after } };
    }
  }
  return { ...rows.take(), next: undefined };
}

/** The last tuple that was given when the part is full; 0 when the space is through. */
function scanSpace(
  engine: MemoryRows,
  space: MemorySpace,
  part: {
    readonly from: ScanCursor | undefined;
    readonly rows: RowWriter;
    readonly maxBytes: number;
  },
): number {
  const { from, rows, maxBytes } = part;
  const { arena } = engine.memory;
  const { tree, order } = space.primary();
  const place = { leaf: 0, slot: 0 };
  const after = from?.space === space.id ? from.after : undefined;
  if (after === undefined) tree.toStart(place);
  else {
    order.probeKey(after, 0, order.ownParts);
    tree.seek(true, place);
  }
  for (let handle = tree.handleAt(place); handle !== 0; handle = tree.handleAt(place)) {
    const start = arena.startOf(handle);
    rows.replace(space.id, arena.chunkOf(handle), start, start + arena.sizeOf(handle));
    if (rows.byteLength >= maxBytes) return handle;
    tree.forward(place);
  }
  return 0;
}
