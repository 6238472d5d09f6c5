import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { ClusterError } from '../core/errors.ts';

const { ENOSPC, EDQUOT } = constants.errno;

interface DiskFailure {
  /** What could not be written, below the working directory. */
  readonly file: string;
  /** As the system numbers it, above zero; what is below is of a library. */
  readonly number: number;
  /** Left out: when the number says so. */
  readonly isFull?: boolean;
  readonly cause: unknown;
}

/** A full disk, or one that fails, is something that people can help. */
export function diskFailure({ file, number, isFull, cause }: DiskFailure): ClusterError {
  const hasNoRoom = isFull ?? isNoRoom(number);
  const code = hasNoRoom && !isNoRoom(number) ? 'ENOSPC' : nameOf(number);
  const message = hasNoRoom
    ? `The disk is full (${code}): ${file} in the working directory could not be written. Make ` +
      'room or grow the volume, then start the instance again. Nothing acknowledged is lost.'
    : `The disk has failed (${code}): nobody knows what of ${file} in the working directory is on ` +
      'it. Look at the disk and the log of the kernel, then start the instance again: it goes on ' +
      'with what can be read. If that is damaged, `tonearm log reseed DIR` gets a copy from its leader.';
  return new ClusterError('STORAGE_FAILED', { cause, message, details: { file, code } });
}

export function isNoRoom(number: number): boolean {
  return number === ENOSPC || number === EDQUOT;
}

function nameOf(number: number): string {
  // Node has no name for this one.
  if (number === EDQUOT) return 'EDQUOT';
  return number > 0 ? getSystemErrorName(-number) : String(number);
}
