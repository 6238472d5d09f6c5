/**
 * The part of the runtime that reads data directories, taken from beside the runtime's entry: applications have no use
 * for it, so it is no entry of its own.
 */
import path from 'node:path';

export interface Position {
  readonly term: number;
  readonly sequence: number;
}

export interface VerifiedFile {
  readonly path: string;
  readonly kind: 'segment' | 'snapshot';
  readonly bytes: number;
  readonly parts: number;
  readonly rows: number;
  readonly from: Position | null;
  readonly to: Position | null;
  readonly fault: {
    readonly offset: number;
    readonly reason: string;
    readonly isTornEnd: boolean;
  } | null;
}

export interface VerifiedData {
  readonly files: readonly VerifiedFile[];
  readonly problems: readonly string[];
}

export interface DumpedBatch {
  readonly term: number;
  readonly firstSequence: number;
  readonly rows: readonly object[];
}

/** `runtime/src/data.ts`. */
export interface DataModule {
  readonly NodeDisk: new (root: string) => object;
  readonly verifyData: (disk: object) => Promise<VerifiedData>;
  readonly dumpLog: (
    disk: object,
    range: { readonly from: number; readonly to: number },
    onBatch: (batch: DumpedBatch) => void,
  ) => Promise<void>;
  readonly markReseed: (disk: object, reason: string) => Promise<void>;
}

export async function loadDataModule(): Promise<DataModule> {
  const entry = import.meta.resolve('@tonearm/runtime');
  const beside = new URL(`data${path.extname(entry)}`, entry);
  return (await import(beside.href)) as DataModule;
}
