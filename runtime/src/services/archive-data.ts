/** Moves the data of an expelled instance aside, so that its next start is that of a new and empty one. */
import type { Disk } from '../ports/disk.ts';

const ARCHIVE = 'expelled';
/** What tells, after a crash in the middle, that this instance was expelled and has to go on: moved last, in this order. */
const LAST: readonly string[] = ['config', 'instance.json'];

export async function archiveData(disk: Disk, uuid: string): Promise<void> {
  const names = (await disk.list('.')).filter((name) => name !== ARCHIVE && !name.startsWith('.'));
  const first = names.filter((name) => !LAST.includes(name));
  for (const name of [...first, ...LAST.filter((one) => names.includes(one))]) {
    await disk.rename(name, `${ARCHIVE}/${uuid}/${name}`);
  }
}
