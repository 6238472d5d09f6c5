/**
 * What connectors are told of an error: Tarantool's number and our sentence.
 *
 * Connectors decide by the number what to do, so numbers that say "nothing was done, ask another instance" are given
 * only where that is so; a write whose outcome is unknown is a timeout.
 */
import { ClusterError, type ErrorCode } from '../errors.ts';
import { type ErrorNumber, errorNumber } from './error-numbers.ts';

export interface ProtocolError {
  readonly number: ErrorNumber;
  readonly message: string;
  /** Code of our catalogue, for those who can read more than the number. */
  readonly code: ErrorCode | undefined;
}

/** Of what is not here connectors know nothing closer than "a procedure failed". */
const numbers: Partial<Record<ErrorCode, ErrorNumber>> = {
  REQUEST_INVALID: errorNumber.ILLEGAL_PARAMS,
  MEMORY_FULL: errorNumber.MEMORY_ISSUE,
  DUPLICATE_KEY: errorNumber.TUPLE_FOUND,
  NOT_SUPPORTED: errorNumber.UNSUPPORTED,
  NO_LEADER: errorNumber.READONLY,
  NOT_LEADER: errorNumber.READONLY,
  STALE_TERM: errorNumber.READONLY,
  SCHEMA_CONFLICT: errorNumber.ALTER_SPACE,
  TUPLE_INVALID: errorNumber.FIELD_TYPE,
  SCHEMA_MISSING: errorNumber.NO_SUCH_SPACE,
  ROLE_UNKNOWN: errorNumber.NO_SUCH_PROC,
  ROLE_FUNCTION_UNKNOWN: errorNumber.NO_SUCH_PROC,
  STORAGE_FAILED: errorNumber.WAL_IO,
  UNAUTHORIZED: errorNumber.ACCESS_DENIED,
  PEER_UNREACHABLE: errorNumber.NO_CONNECTION,
  OUTCOME_UNKNOWN: errorNumber.TIMEOUT,
  TRANSACTION_CONFLICT: errorNumber.TRANSACTION_CONFLICT,
  STATE_FORBIDS: errorNumber.LOADING,
  NOT_READY: errorNumber.LOADING,
};

/** An error of the server itself is not explained to clients; whoever calls this logs it. */
export function describeError(error: unknown): ProtocolError {
  if (!(error instanceof ClusterError)) {
    return {
      number: errorNumber.UNKNOWN,
      message: 'An unexpected error; the log of the instance has more.',
      code: 'INTERNAL',
    };
  }
  const number = error.protocolNumber ?? numbers[error.code] ?? errorNumber.PROC_LUA;
  return { number, message: error.message, code: error.code };
}

/** What a called function threw is meant for its caller. */
export function describeCallError(error: unknown): ProtocolError {
  if (error instanceof ClusterError) return describeError(error);
  const message = error instanceof Error ? error.message : String(error);
  return { number: errorNumber.PROC_LUA, message, code: undefined };
}
