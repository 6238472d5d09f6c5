/**
 * Rows of disk spaces in LMDB, in a folder of the working directory.
 *
 * Nothing is synced while it runs: a process that is killed leaves it whole, because its pages are the kernel's. A
 * machine that crashes may leave anything. So the folder says in which boot of the machine it was opened, or that it
 * was closed and synced; a database about which neither is true is thrown away unread.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import path from 'node:path';
import type * as lmdb from 'lmdb';
import { ClusterError } from '../core/errors.ts';
import type { OrderedRange } from '../core/storage/disk/ordered-store.ts';
import { assert } from '../foundation/assert.ts';
import type { RowDatabase } from '../ports/row-database.ts';
import { diskFailure, isNoRoom } from './disk-failure.ts';

type Database = lmdb.RootDatabase<Uint8Array, Uint8Array>;

const FOLDER = 'disk-rows';
const DATA = 'data.mdb';
const LOCK = 'lock.mdb';
const OPENED = 'opened.txt';
const CLOSED = 'closed';
/** With less than this left on the volume it was room that LMDB wanted: it says only that a write came out short. */
const NO_ROOM_BYTES = 1024 * 1024;

export interface LmdbRowDatabaseOptions {
  readonly workdir: string;
  /** Of the machine's kernel; empty when unknown. */
  readonly bootId: string;
}

export class LmdbRowDatabase implements RowDatabase {
  /** With pages of 4 KiB. */
  readonly keyBytesMax = 1978;
  readonly #folder: string;
  readonly #bootId: string;
  #database: Database | undefined;
  #isOpen = false;
  #hasData = false;

  constructor({ workdir, bootId }: LmdbRowDatabaseOptions) {
    this.#folder = path.join(workdir, FOLDER);
    this.#bootId = bootId;
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    const opened = existsSync(this.#path(OPENED)) ? readFileSync(this.#path(OPENED), 'utf8') : '';
    const isWhole = opened === CLOSED || (opened !== '' && opened === this.#bootId);
    if (!isWhole) await this.#remove([DATA, LOCK, OPENED]);
    this.#hasData = existsSync(this.#path(DATA));
    this.#isOpen = true;
  }

  async wipe(): Promise<void> {
    await this.#database?.close();
    this.#database = undefined;
    this.#hasData = false;
    await this.#remove([DATA, LOCK]);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#database?.close();
    this.#database = undefined;
    if (!existsSync(this.#path(DATA))) return;
    syncFile(this.#path(DATA));
    this.#mark(CLOSED);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#hasData ? this.#opened().getBinary(key) : undefined;
  }

  walk(
    { from, to, isDownward = false }: OrderedRange,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    if (!this.#hasData) return;
    // Downward a range of LMDB ends with its end, and begins with its start: that one is not of ours.
    const range = isDownward
      ? { start: to, end: from, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start: from, end: to };
    for (const { key, value } of this.#opened().getRange(range)) {
      if (!visit(key, value)) return;
    }
  }

  change(work: () => void): void {
    try {
      this.#opened().transactionSync(work);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#opened().putSync(key, value);
  }

  remove(key: Uint8Array): void {
    this.#opened().removeSync(key);
  }

  #opened(): Database {
    if (this.#database !== undefined) return this.#database;
    assert(this.#isOpen, 'a database that was closed is not used');
    try {
      this.#database = this.#openLibrary();
    } catch (error) {
      throw this.#explained(error);
    }
    this.#hasData = true;
    return this.#database;
  }

  /** The library is loaded by the first space that needs it. */
  #openLibrary(): Database {
    mkdirSync(this.#folder, { recursive: true });
    this.#mark(this.#bootId);
    const library = createRequire(import.meta.url)('lmdb') as typeof lmdb;
    return library.open<Uint8Array, Uint8Array>({
      path: this.#folder,
      noSubdir: false,
      noSync: true,
      cache: false,
      keyEncoding: 'binary',
      encoding: 'binary',
    });
  }

  /** Durable before the database is touched. */
  #mark(content: string): void {
    writeFileSync(this.#path(OPENED), content);
    syncFile(this.#path(OPENED));
    syncFile(this.#folder);
  }

  /** The folder stays: it may be a volume of its own. */
  async #remove(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(this.#path(file), { force: true });
  }

  /** What neither the system nor LMDB has numbered is no matter of the disk. */
  #explained(error: unknown): unknown {
    const { code, errno } = error as { readonly code?: unknown; readonly errno?: number };
    const number = typeof code === 'number' ? code : -(errno ?? 0);
    if (error instanceof ClusterError || number === 0) return error;
    // Of a write that came out short LMDB says no more than that.
    const isFull = isNoRoom(number) || (number === constants.errno.EIO && !this.#hasRoom());
    return diskFailure({ file: FOLDER, number, isFull, cause: error });
  }

  #hasRoom(): boolean {
    const folder = existsSync(this.#folder) ? this.#folder : path.dirname(this.#folder);
    try {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize >= NO_ROOM_BYTES;
    } catch {
      // A volume that does not answer has failed.
      return true;
    }
  }

  #path(file: string): string {
    return path.join(this.#folder, file);
  }
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
