/** The working directory of an instance. Paths are relative to it, with `/`. */
export interface Disk {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Replaces a file so that a crash at any moment leaves the old or the new one; durable when it resolves. */
  writeAtomic(path: string, bytes: Uint8Array): Promise<void>;
  /** Appends at the end. With `sync` it is durable when it resolves; without, it survives the process but not the machine. */
  append(path: string, bytes: Uint8Array, options: { readonly sync: boolean }): Promise<void>;
  /** Cuts a file to `size` bytes, durably. */
  truncate(path: string, size: number): Promise<void>;
  /** Renames a file or a folder, durably, over a file that exists. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with all in it; nothing happens when it does not exist. */
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when it does not exist. */
  list(folder: string): Promise<readonly string[]>;
}
