/** What all sessions of the server share. */
import type { ProtocolError } from '../../core/iproto/describe-error.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Logger } from '../../foundation/logger.ts';
import type { IprotoStorage } from '../../ports/iproto-storage.ts';
import type { DataRequests } from './data-requests.ts';
import type { Events } from './events.ts';
import type { IprotoUsers } from './iproto-users.ts';

export type { IprotoUsers } from './iproto-users.ts';

export interface Caller {
  readonly user: string;
}

/**
 * Calls a function by the name that clients use. Several values are returned as `ReturnedValues`; an unknown function
 * is `ROLE_FUNCTION_UNKNOWN`.
 */
export type CallFunction = (
  name: string,
  args: readonly unknown[],
  caller: Caller,
) => Promise<unknown>;

export interface IprotoLimits {
  readonly connections: number;
  /** Of one request. A larger one ends the connection. */
  readonly requestBytes: number;
  /** Of one reply. */
  readonly replyBytes: number;
  /** Of a connection: over it, no more of its requests are read until some are answered. */
  readonly requestsInFlight: number;
  /** Of a connection, written and not sent: over it, no more of its requests are read. */
  readonly outputBytes: number;
  readonly watchedKeys: number;
  readonly transactionsPerConnection: number;
  readonly statementsPerTransaction: number;
  /** Where BEGIN gives none. */
  readonly transactionTimeoutMs: number;
}

export const defaultLimits: IprotoLimits = {
  connections: 10_000,
  requestBytes: 16 * 1024 * 1024,
  replyBytes: 128 * 1024 * 1024,
  requestsInFlight: 768,
  outputBytes: 1024 * 1024,
  watchedKeys: 1000,
  transactionsPerConnection: 100,
  statementsPerTransaction: 1000,
  transactionTimeoutMs: 60_000,
};

export interface InstanceIdentity {
  readonly uuid: string;
  readonly replicaSetUuid: string;
  /** Number within the replica set, from 1. */
  readonly id: number;
}

/** A session, as the server and its events know it. */
export interface SessionHandle {
  readonly requestsInFlight: number;
  settle(acknowledged: number, logged: number): void;
  fail(upTo: number, error: { readonly write: ProtocolError; readonly read: ProtocolError }): void;
}

export interface IprotoContext {
  readonly storage: IprotoStorage;
  readonly call: CallFunction;
  readonly users: IprotoUsers;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: IprotoLimits;
  readonly instance: InstanceIdentity;
  readonly data: DataRequests;
  readonly events: Events;
  /** Those that hold replies. */
  readonly waiting: Set<SessionHandle>;
  readonly counters: { requests: number; errors: number };
  /** Around the work on what was received: the storage may settle replies within it, which then waits. */
  enter(): void;
  leave(): void;
  forget(session: SessionHandle): void;
}
