/** Zeros of the kernel are read into memory by a thread of the pool, which thereby touches it first. */
import { openSync, read } from 'node:fs';
import type { PrepareMemory } from '../core/storage/memory/spare-buffers.ts';

const ZEROS = '/dev/zero';

/** Undefined where there is no such file. */
export function createPrepareMemory(): PrepareMemory | undefined {
  try {
    const file = openSync(ZEROS, 'r');
    return (bytes, done) => {
      read(file, bytes, 0, bytes.length, null, () => done());
    };
  } catch {
    return undefined;
  }
}
