/**
 * The working directory on a real file system.
 *
 * What is durable when a call resolves is so by fsync of the file *and* of the folder that names it; a new file is
 * written beside its place and renamed, so that a crash leaves the old or the new one.
 */
import { constants, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { AppendFile, Disk } from '../ports/disk.ts';
import { diskFailure } from './disk-failure.ts';

const TEMPORARY_SUFFIX = '.tmp~';

export class NodeDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = path.resolve(root);
  }

  async read(file: string): Promise<Uint8Array | undefined> {
    const reading = withFile(this.#resolve(file), 'r', async (handle) => {
      const { size } = await handle.stat();
      // In one piece: each piece would wait for its turn in the main loop.
      return readFrom(handle, 0, size);
    });
    return ignoreMissing(reading, undefined);
  }

  async writeAtomic(file: string, bytes: Uint8Array): Promise<void> {
    const target = this.#resolve(file);
    await this.#makeFolder(path.dirname(target));
    const temporary = `${target}${TEMPORARY_SUFFIX}`;
    try {
      await withFile(temporary, 'w', async (handle) => {
        await handle.writeFile(bytes);
        await handle.sync();
      });
      await rename(temporary, target);
      await syncFolder(path.dirname(target));
    } catch (error) {
      throw explained(error, file);
    }
  }

  async readPart(file: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const reading = withFile(this.#resolve(file), 'r', (handle) =>
      readFrom(handle, offset, length),
    );
    return ignoreMissing(reading, undefined);
  }

  async size(file: string): Promise<number | undefined> {
    const found = await ignoreMissing(stat(this.#resolve(file)), undefined);
    return found?.size;
  }

  async openAppend(file: string): Promise<AppendFile> {
    const target = this.#resolve(file);
    await this.#makeFolder(path.dirname(target));
    const handle = await open(target, constants.O_WRONLY | constants.O_CREAT);
    const { size } = await handle.stat();
    if (size === 0) await syncFolder(path.dirname(target));
    return new NodeAppendFile(handle, size, file);
  }

  async truncate(file: string, size: number): Promise<void> {
    await withFile(this.#resolve(file), 'r+', async (handle) => {
      await handle.truncate(size);
      await handle.sync();
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#resolve(from);
    const target = this.#resolve(to);
    await this.#makeFolder(path.dirname(target));
    await rename(source, target);
    await syncFolder(path.dirname(target));
    if (path.dirname(source) !== path.dirname(target)) await syncFolder(path.dirname(source));
  }

  async remove(target: string): Promise<void> {
    const resolved = this.#resolve(target);
    await rm(resolved, { recursive: true, force: true });
    await ignoreMissing(syncFolder(path.dirname(resolved)), undefined);
  }

  async list(folder: string): Promise<readonly string[]> {
    const names = await ignoreMissing(readdir(this.#resolve(folder)), []);
    return names.filter((name) => !name.endsWith(TEMPORARY_SUFFIX)).toSorted();
  }

  #resolve(relative: string): string {
    const resolved = path.resolve(this.#root, relative);
    if (resolved !== this.#root && !resolved.startsWith(this.#root + path.sep)) {
      throw new RangeError(`${relative} is not inside the working directory`);
    }
    return resolved;
  }

  /** A new folder is durable only when the one that names it was synced. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true });
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = path.dirname(made)) {
      await syncFolder(path.dirname(made));
    }
  }
}

/** Writes where it knows the end to be: nobody else writes to the file. */
class NodeAppendFile implements AppendFile {
  readonly #handle: FileHandle;
  #end: number;
  readonly #file: string;

  constructor(handle: FileHandle, end: number, file: string) {
    this.#handle = handle;
    this.#end = end;
    this.#file = file;
  }

  write(bytes: Uint8Array): void {
    let written = 0;
    try {
      while (written < bytes.length) {
        const left = bytes.length - written;
        written += writeSync(this.#handle.fd, bytes, written, left, this.#end + written);
      }
    } catch (error) {
      throw explained(error, this.#file);
    }
    this.#end += written;
  }

  async sync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw explained(error, this.#file);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function explained(error: unknown, file: string): unknown {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : diskFailure({ file, number: -errno, cause: error });
}

async function withFile<T>(
  file: string,
  flags: string,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(file, flags);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function readFrom(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, 'r', (handle) => handle.sync());
}

async function ignoreMissing<T, U>(reading: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await reading;
  } catch (error) {
    // A file that is not there is an answer, not a failure of the disk.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw error;
  }
}
