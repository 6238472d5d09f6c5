import type { ErrorNumber } from './iproto/error-numbers.ts';

/** The catalogue of every error that a user or an operator can meet; `docs/errors.md` lists the same codes. */
const catalog = {
  CONFIG_LOCKED: { status: 409, message: 'Another change of the cluster config is in progress.' },
  CONFIG_STALE_BASE: {
    status: 409,
    message: 'The change was made from another config than the present one.',
  },
  CONFIG_INVALID: { status: 400, message: 'The cluster config is not valid.' },
  CONFIG_ABORTED: { status: 409, message: 'The change of the cluster config was aborted.' },
  CONFIG_UNDECIDED: { status: 504, message: 'The outcome of the change is not known yet.' },
  CONFIG_MISSING: { status: 409, message: 'The cluster is not bootstrapped.' },
  STATE_FORBIDS: { status: 409, message: 'The instance is in a state that does not allow this.' },
  NOT_READY: { status: 503, message: 'The instance does not serve its roles yet.' },
  UNAUTHORIZED: {
    status: 401,
    message: 'The request carries neither the cluster cookie nor a valid token.',
  },
  REQUEST_INVALID: { status: 400, message: 'The request is not valid.' },
  NOT_FOUND: { status: 404, message: 'There is no such thing.' },
  DUPLICATE_KEY: { status: 409, message: 'A row with the same unique key exists.' },
  NO_LEADER: { status: 503, message: 'The replica set has no leader that accepts writes now.' },
  NOT_LEADER: { status: 503, message: 'This instance does not lead the replica set.' },
  STALE_TERM: { status: 409, message: 'A higher term has been promised.' },
  PEER_LEASE_HELD: { status: 409, message: 'A peer lease forbids to promise another term yet.' },
  OUTCOME_UNKNOWN: { status: 504, message: 'The write may or may not have happened.' },
  WRONG_BUCKET: { status: 503, message: 'The bucket is not on this replica set.' },
  SCHEMA_MISSING: { status: 503, message: 'The space or index does not exist.' },
  SCHEMA_CONFLICT: { status: 409, message: 'The space or index exists with another definition.' },
  TUPLE_INVALID: { status: 400, message: 'The row does not fit the format of its space.' },
  PROVIDER_UNAVAILABLE: { status: 503, message: 'The state provider does not answer.' },
  NO_COORDINATOR: { status: 503, message: 'No failover coordinator is active.' },
  NOT_IN_SYNC: { status: 409, message: 'The instance does not have every acknowledged write.' },
  PROMOTION_PENDING: {
    status: 504,
    message: 'The instance is appointed, but does not take writes yet.',
  },
  PARTLY_DONE: { status: 504, message: 'Some instances did it, others did not answer.' },
  ROLE_UNKNOWN: { status: 404, message: 'The role is not enabled here.' },
  ROLE_FUNCTION_UNKNOWN: { status: 404, message: 'The role has no such function.' },
  ROLE_FAILED: { status: 500, message: 'A role failed.' },
  PEER_UNREACHABLE: {
    status: 503,
    message: 'A peer could not be reached; the request was not executed.',
  },
  NOT_SUPPORTED: { status: 501, message: 'This is not supported.' },
  MEMORY_FULL: { status: 507, message: 'The memory for rows is full.' },
  TRANSACTION_CONFLICT: {
    status: 409,
    message: 'What the transaction had read was changed meanwhile.',
  },
  STORAGE_FAILED: { status: 500, message: 'The disk failed; the instance stops.' },
  INTERNAL: { status: 500, message: 'An unexpected error.' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof catalog;

export const errorCatalog: Readonly<
  Record<ErrorCode, { readonly status: number; readonly message: string }>
> = catalog;

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalog, code);
}

export interface ClusterErrorOptions {
  /** Says more than the catalogue: what, why, what to do. */
  readonly message?: string;
  readonly field?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** What connectors of the binary protocol are told; default: what fits the code best. */
  readonly protocolNumber?: ErrorNumber;
  readonly cause?: unknown;
}

/** A refusal or failure with a code of the catalogue. Anything else that is thrown is a bug of ours. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly protocolNumber: ErrorNumber | undefined;

  constructor(code: ErrorCode, options: ClusterErrorOptions = {}) {
    super(options.message ?? catalog[code].message, { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.details = options.details;
    this.protocolNumber = options.protocolNumber;
  }

  get status(): number {
    return catalog[this.code].status;
  }
}
