import { ClusterError } from '../core/errors.ts';

interface DiskFailure {
  /** What could not be written, below the working directory. */
  readonly file: string;
  readonly code: string;
  readonly isFull: boolean;
  readonly cause: unknown;
}

/** A full disk, or one that fails, is something that people can help. */
export function diskFailure({ file, code, isFull, cause }: DiskFailure): ClusterError {
  const message = isFull
    ? `The disk is full (${code}): ${file} in the working directory could not be written. Make ` +
      'room or grow the volume, then start the instance again. Nothing acknowledged is lost.'
    : `The disk has failed (${code}): nobody knows what of ${file} in the working directory is on ` +
      'it. Look at the disk and the log of the kernel, then start the instance again: it goes on ' +
      'with what can be read. If that is damaged, `tonearm log reseed DIR` gets a copy from its leader.';
  return new ClusterError('STORAGE_FAILED', { cause, message, details: { file, code } });
}
