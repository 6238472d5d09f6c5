/** Moves the data of an expelled instance aside, so that its next start is that of a new and empty one. */
import type { Disk } from '../ports/disk.ts';

const ARCHIVE = 'expelled';
const IDENTITY = 'instance.json';

/** The identity goes last: a crash before that leaves an instance that is expelled and archived again. */
export async function archiveData(disk: Disk, uuid: string): Promise<void> {
  const names = (await disk.list('.')).filter((name) => name !== ARCHIVE && !name.startsWith('.'));
  for (const name of [...names.filter((other) => other !== IDENTITY), IDENTITY]) {
    if (names.includes(name)) await disk.rename(name, `${ARCHIVE}/${uuid}/${name}`);
  }
}
