/**
 * Keeps the store in one file. A write goes to a temporary file that is synced before it takes the
 * place of the old one: a process that is killed leaves the old state or the new one, never a
 * mixture. Changes wait a moment, so that a burst is one write.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isList, isObject, numberAt } from './json.ts';
import type { ObjectStore } from './object-store.ts';
import type { StoreSnapshot } from './store-operations.ts';

const FORMAT_VERSION = 1;
/** What a kill may lose, together with the time of the write itself. */
const WRITE_DELAY_MS = 50;

export async function readStoreFile(path: string): Promise<StoreSnapshot | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    // A missing file is the first start; anything else must not look like an empty cluster.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseSnapshot(JSON.parse(text), path);
}

function parseSnapshot(json: unknown, path: string): StoreSnapshot {
  const version = numberAt(json, 'formatVersion');
  const resourceVersion = numberAt(json, 'resourceVersion');
  const objects = isObject(json) ? json['objects'] : undefined;
  if (version !== FORMAT_VERSION || resourceVersion === undefined || !isList(objects)) {
    throw new Error(
      `${path} is not a store file of format ${FORMAT_VERSION}: move it away to start empty`,
    );
  }
  return { resourceVersion, objects: objects as StoreSnapshot['objects'] };
}

export class StoreFile {
  readonly #path: string;
  readonly #store: ObjectStore;
  readonly #onError: (error: unknown) => void;
  readonly #subscription: { close(): void };
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #writtenVersion = -1;

  constructor(path: string, store: ObjectStore, onError: (error: unknown) => void) {
    this.#path = path;
    this.#store = store;
    this.#onError = onError;
    this.#subscription = store.onChange(() => this.#schedule());
  }

  /** Writes what is not yet on disk, and follows the store no longer. */
  async close(): Promise<void> {
    this.#subscription.close();
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#writing = this.#writing
        .then(async () => {
          this.#timer = undefined;
          await this.#write();
        })
        .catch((error: unknown) => this.#onError(error));
    }, WRITE_DELAY_MS);
  }

  async #write(): Promise<void> {
    const snapshot = this.#store.snapshot();
    if (snapshot.resourceVersion === this.#writtenVersion) return;
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true });
    const temporary = `${this.#path}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify({ formatVersion: FORMAT_VERSION, ...snapshot }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    await syncFolder(folder);
    this.#writtenVersion = snapshot.resourceVersion;
  }
}

/** The rename itself is durable only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
