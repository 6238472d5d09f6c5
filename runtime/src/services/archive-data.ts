/**
 * Moves the data of an expelled instance aside, so that its next start is that of a new and empty one.
 *
 * What is to be done is written down before the first file moves, and forgotten after the last: a start that finds it
 * goes on where the process before was ended, whichever files are left and whatever they say.
 */
import { z } from 'zod';
import type { Disk } from '../ports/disk.ts';

const ARCHIVE = 'expelled';
const MARKER = 'expelled.json';
const markerSchema = z.strictObject({ uuid: z.uuid() });

export async function archiveData(disk: Disk, uuid: string): Promise<void> {
  await disk.writeAtomic(MARKER, new TextEncoder().encode(`${JSON.stringify({ uuid })}\n`));
  await moveAll(disk, uuid);
}

/** Before anything else is read; does nothing when nothing was begun. */
export async function finishArchiving(disk: Disk): Promise<void> {
  const bytes = await disk.read(MARKER);
  if (bytes === undefined) return;
  const { uuid } = markerSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  await moveAll(disk, uuid);
}

async function moveAll(disk: Disk, uuid: string): Promise<void> {
  const names = (await disk.list('.')).filter(
    (name) => name !== ARCHIVE && name !== MARKER && !name.startsWith('.'),
  );
  const folder = `${ARCHIVE}/${uuid}`;
  const taken = new Set(await disk.list(folder));
  for (const name of names) {
    const free = freeName(name, taken);
    await disk.rename(name, `${folder}/${free}`);
    taken.add(free);
  }
  await disk.remove(MARKER);
}

/** What an earlier release left there half way is kept as well. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let copy = 2; taken.has(free); copy++) free = `${name}.${copy}`;
  return free;
}
