/** Gives everything of an engine as rows, a part at a time. */

import { scanDisk } from '../disk/disk-scan.ts';
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
  if (from === undefined) scanDefinitions(engine, rows);
  for (const space of engine.catalog.inOrder()) {
    if (space.id < (from?.space ?? 0) || space.indexes.length === 0) continue;
    const part = { after: from?.space === space.id ? from.after : undefined, rows, maxBytes };
    const after =
      space.overlay === undefined
        ? scanSpace(engine, space, part)
        : scanDisk(space, space.overlay, part);
    if (after !== undefined) return { ...rows.take(), next: { space: space.id, after } };
  }
  return { ...rows.take(), next: undefined };
}

function scanDefinitions({ catalog }: MemoryRows, rows: RowWriter): void {
  for (const { definition, last } of catalog.sequences.values()) {
    rows.row({ kind: 'create-sequence', definition });
    if (last !== undefined) rows.row({ kind: 'set-sequence', name: definition.name, value: last });
  }
  for (const { definition } of catalog.inOrder()) rows.row({ kind: 'create-space', definition });
}

/** The key of the last tuple that was given when the part is full; undefined when the space is through. */
function scanSpace(
  engine: MemoryRows,
  space: MemorySpace,
  part: {
    readonly after: Uint8Array | undefined;
    readonly rows: RowWriter;
    readonly maxBytes: number;
  },
): Uint8Array | undefined {
  const { after, rows, maxBytes } = part;
  const { arena } = engine.memory;
  const primary = space.primary();
  const { tree } = primary;
  const place = { leaf: 0, slot: 0 };
  primary.toBehind(after, place);
  for (let handle = tree.handleAt(place); handle !== 0; handle = tree.handleAt(place)) {
    const start = arena.startOf(handle);
    rows.replace(space.id, arena.chunkOf(handle), start, start + arena.sizeOf(handle));
    if (rows.byteLength >= maxBytes) return engine.primaryKeyOf(space, handle).take();
    tree.forward(place);
  }
  return undefined;
}
