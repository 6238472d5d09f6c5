/** A server that is measured: what suites need of it, whatever it is. */
import type { Address } from '../client.ts';

export interface Target {
  /** As tables show it. */
  readonly name: string;
  readonly address: Address;
  readonly protocol: 'iproto' | 'redis';
  /** Resolves when the process runs; whether it answers is asked over its port. */
  start(): Promise<void>;
  /** Once it answers for the first time: makes what the rows need, a space or nothing. */
  prepare(): Promise<void>;
  /** In order. */
  stop(): Promise<void>;
  /** At once, as kill -9 does; it can be started again on what it has on the disk. */
  kill(): Promise<void>;
  /** Resolves when the rows of now are in a snapshot. */
  snapshot(): Promise<void>;
  /** Of all its processes and threads since the start. */
  cpuSeconds(): number;
  /** Of the process that keeps the rows. */
  residentBytes(): number;
}
