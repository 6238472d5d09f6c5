/**
 * What the IPROTO server needs of the rows of its instance.
 *
 * Everything is synchronous and done within the call. A reply leaves only when the row whose number the call gave is
 * acknowledged, or for a negative number is in the own log; 0 means at once. Errors are thrown as `ClusterError`; then nothing was done, and why may be a row that
 * is not acknowledged.
 */
import type { SpaceDefinition } from '../core/schema/space-definition.ts';

/** In the place of a space's number: definitions of spaces and indexes. */
export const SCHEMA = 0;

/**
 * A request's parts: positions in `bytes`, which hold whole, valid MessagePack. One object is filled anew for each
 * request, so that none is made. A position is -1 where the request has no such part.
 */
export interface DataRequest {
  bytes: Uint8Array;
  space: number;
  index: number;
  /** As the protocol counts them: 0 EQ, 1 REQ, 2 ALL, 3 LT, 4 LE, 5 GE, 6 GT. */
  iterator: number;
  limit: number;
  offset: number;
  /** An array: a key or its beginning. */
  keyAt: number;
  /** An array: the tuple of insert, replace and upsert. */
  tupleAt: number;
  tupleEnd: number;
  /** An array of operations of update and upsert. */
  operationsAt: number;
  /** What the number of the first field is in operations: 0 or 1. */
  indexBase: number;
  /** A tuple of the page before: select begins behind it. */
  afterAt: number;
}

/** Takes tuples of a result, in order. */
export interface TupleSink {
  /** The bytes are those of the storage: they must be copied before the call ends. */
  tuple(bytes: Uint8Array, start: number, end: number): void;
}

/** Replies that wait for their rows to be acknowledged. */
export interface HeldReplies {
  /** Those that wait for a row up to `acknowledged` may leave, or up to `logged` if the own log is all they wait for. */
  settle(acknowledged: number, logged: number): void;
  /** Those that wait for a row up to `upTo` will not be acknowledged in time, or never: their outcome is unknown. */
  fail(upTo: number, why: string): void;
}

export interface IprotoStorage {
  readonly isWritable: boolean;
  /** False until it has a copy of the data, and once it has failed. */
  readonly isReadable: boolean;
  /** Grows with every change of a space or an index. */
  readonly schemaVersion: number;
  spaces(): readonly SpaceDefinition[];
  /** Until the function that is given back is called. */
  hold(held: HeldReplies): () => void;
  /** What is told of a space's rows waits for this one: the newest, or 0 when it need not be waited for. */
  unacknowledged(space: number): number;
  select(request: DataRequest, sink: TupleSink): number;
  insert(request: DataRequest, sink: TupleSink): number;
  replace(request: DataRequest, sink: TupleSink): number;
  /** Gives the tuple after the update to the sink; nothing where there is none. */
  update(request: DataRequest, sink: TupleSink): number;
  upsert(request: DataRequest): number;
  /** Gives the tuple that was there. */
  delete(request: DataRequest, sink: TupleSink): number;
  /**
   * What follows in this tick, up to `commit` or `rollback`, happens as a whole or not at all. Both must come in the
   * same tick. Between them a call gives the newest row of others that its reply may have seen.
   */
  begin(): void;
  commit(): number;
  rollback(): void;
}
