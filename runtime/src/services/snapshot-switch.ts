/**
 * Exchanges the data of an instance for a snapshot of its leader, or for nothing, so that a crash at any moment leaves
 * either the old data or the new.
 *
 * What is to be done is written down when all that it needs is durable, and every start goes on where the process
 * before was ended. Old data is laid aside in `aside/`, one generation of it; only what a join that never came to its
 * end has left is removed.
 */
import { z } from 'zod';
import { positionSchema } from '../contract/instance-status.ts';
import { ClusterError } from '../core/errors.ts';
import type { Disk } from '../ports/disk.ts';
import { LOG_FOLDER } from './replica-log-recovery.ts';
import { SNAPSHOT_FOLDER } from './snapshot-files.ts';

export const JOIN_FOLDER = 'join';
const ASIDE_FOLDER = 'aside';
const JOIN_MARKER = 'join.json';
const RESEED_MARKER = 'reseed.json';

const joinSchema = z.strictObject({
  v: z.literal(1),
  /** The snapshot's file. */
  name: z.string().regex(/^\d+\.snap$/),
  /** Before the log has come so far the rows are no state that ever was. */
  end: positionSchema,
  /** The data that it takes the place of is worth keeping. */
  keepsOld: z.boolean(),
});
export type JoinMarker = Readonly<z.infer<typeof joinSchema>>;

const reseedSchema = z.strictObject({ v: z.literal(1), reason: z.string() });

/** Commits to the snapshot `join/<name>`, which is whole and durable. */
export async function commitJoin(disk: Disk, marker: Omit<JoinMarker, 'v'>): Promise<void> {
  await disk.writeAtomic(JOIN_MARKER, encoded({ v: 1, ...marker }));
}

/** From its next start on this instance has no rows, and a seat of its own: then it joins anew. */
export async function markReseed(disk: Disk, reason: string): Promise<void> {
  await disk.writeAtomic(RESEED_MARKER, encoded({ v: 1, reason }));
}

/** What ends the process that has marked it. */
export function startsAgain(reason: string): ClusterError {
  return new ClusterError('STORAGE_FAILED', {
    message: `This instance starts again, to get a copy of the data from its leader: ${reason}.`,
  });
}

/** A start of its own: nothing that was said of its rows before may count for those that it will have. */
export async function endToReseed(disk: Disk, reason: string): Promise<never> {
  await markReseed(disk, reason);
  throw startsAgain(reason);
}

export async function isReseedMarked(disk: Disk): Promise<boolean> {
  return (await disk.size(RESEED_MARKER)) !== undefined;
}

/** Does what was written down, if anything was; gives the join whose end the log may not have reached yet. */
export async function finishSwitch(disk: Disk): Promise<JoinMarker | undefined> {
  const reseed = await readMarker(disk, RESEED_MARKER, reseedSchema);
  if (reseed !== undefined) {
    await layAside(disk);
    await disk.remove(JOIN_MARKER);
    await disk.remove(JOIN_FOLDER);
    await disk.remove(RESEED_MARKER);
    return undefined;
  }
  const join = await readMarker(disk, JOIN_MARKER, joinSchema);
  if (join === undefined) {
    await disk.remove(JOIN_FOLDER);
    return undefined;
  }
  const path = `${JOIN_FOLDER}/${join.name}`;
  if ((await disk.size(path)) !== undefined) {
    if (join.keepsOld) await layAside(disk);
    else await removeData(disk);
    await disk.rename(path, `${SNAPSHOT_FOLDER}/${join.name}`);
  }
  await disk.remove(JOIN_FOLDER);
  return join;
}

/** The log has reached the end of the snapshot that was joined with. */
export async function completeJoin(disk: Disk): Promise<void> {
  await disk.remove(JOIN_MARKER);
}

/** What is in place is newer than what was laid aside before. */
async function layAside(disk: Disk): Promise<void> {
  for (const name of [LOG_FOLDER, SNAPSHOT_FOLDER]) {
    if ((await disk.list(name)).length === 0) continue;
    await disk.remove(`${ASIDE_FOLDER}/${name}`);
    await disk.rename(name, `${ASIDE_FOLDER}/${name}`);
  }
}

async function removeData(disk: Disk): Promise<void> {
  await disk.remove(LOG_FOLDER);
  await disk.remove(SNAPSHOT_FOLDER);
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

async function readMarker<T>(
  disk: Disk,
  file: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const bytes = await disk.read(file);
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new ClusterError('STORAGE_FAILED', {
      cause: error,
      message:
        `${file} is damaged: it says that the data of this instance is being exchanged. Run ` +
        '`tonearm log reseed DIR`, so that this instance gets a copy from another one.',
    });
  }
}
