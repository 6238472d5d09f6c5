import type { OrderedStore } from '../core/storage/disk/ordered-store.ts';

/**
 * Where rows of disk spaces are. What was changed survives the process; it need not survive the machine: then all of
 * it is made again, from a snapshot and the log.
 */
export interface RowDatabase extends OrderedStore {
  /** Afterwards it is whole: empty, if a crash of the machine may have damaged it. Nothing when it is open. */
  open(): Promise<void>;
  /** Makes it empty. */
  wipe(): Promise<void>;
  /** Afterwards what is in it survives the machine as well. */
  close(): Promise<void>;
}
