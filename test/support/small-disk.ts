/** A file system of its own that is full soon, for the working directory of an instance. It takes a user who may mount. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SMALL = '24m';
const LARGE = '96m';

export class SmallDisk {
  readonly #folder: string;
  readonly #size: string;

  constructor(folder: string, size = SMALL) {
    this.#folder = folder;
    this.#size = size;
  }

  mount(): void {
    mkdirSync(this.#folder, { recursive: true });
    insist(mount('-t', 'tmpfs', '-o', `size=${this.#size}`, 'tmpfs', this.#folder));
  }

  grow(): void {
    insist(mount('-o', `remount,size=${LARGE}`, this.#folder));
  }

  /** Detached at once, also while what was ended is still letting go of it. */
  unmount(): void {
    spawnSync('/bin/umount', ['-l', this.#folder]);
  }
}

/** Whether this user may mount, found out by doing it. */
export function reasonAgainstMounting(): string | false {
  const folder = mkdtempSync(path.join(tmpdir(), 'tonearm-mount-'));
  const reason = mount('-t', 'tmpfs', '-o', `size=${SMALL}`, 'tmpfs', folder);
  if (reason === undefined) spawnSync('/bin/umount', [folder]);
  rmSync(folder, { recursive: true });
  return reason === undefined ? false : `a small disk cannot be mounted here: ${reason}`;
}

/** Why it failed, if it did. */
function mount(...args: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync('/bin/mount', args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

function insist(failure: string | undefined): void {
  if (failure !== undefined) throw new Error(failure);
}
