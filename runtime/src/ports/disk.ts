/** The working directory of an instance. Paths are relative to it, with `/`. */
export interface Disk {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Up to `length` bytes from `offset` on, fewer at the end; undefined when there is no such file. */
  readPart(path: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** In bytes; undefined when there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Replaces a file so that a crash at any moment leaves the old or the new one; durable when it resolves. */
  writeAtomic(path: string, bytes: Uint8Array): Promise<void>;
  /** Makes the file if there is none; its name is durable when this resolves, what is written only after a sync. */
  openAppend(path: string): Promise<AppendFile>;
  /** Cuts a file to `size` bytes, durably. */
  truncate(path: string, size: number): Promise<void>;
  /** Renames a file or a folder, durably, over a file that exists. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with all in it; nothing happens when it does not exist. */
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when it does not exist. */
  list(folder: string): Promise<readonly string[]>;
}

/** A file that is open for writing at its end. After anything has thrown, what it holds is not known. */
export interface AppendFile {
  /** At once: what was written survives the process when it returns, but not the machine. */
  write(bytes: Uint8Array): void;
  /** When it resolves, all that was written before the call survives the machine as well. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
