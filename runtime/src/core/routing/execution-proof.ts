/**
 * The proof, in the answer to a call, that nothing of it was executed: only with it a write may be sent again.
 *
 * The code of an error is no such proof. A role's function that calls another instance throws the same codes, after it
 * may have written: so whoever refuses a call before its function is entered says so, and whoever has entered one takes
 * the proof of others away.
 */
import { ClusterError, type ErrorCode } from '../errors.ts';

const PROOF = 'executed';
const LEADER = 'leader';

/** Another try may succeed: what refuses these passes, or stands at another instance. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'NOT_LEADER',
  'NO_LEADER',
  'WRONG_BUCKET',
  'ROLE_UNKNOWN',
  'STATE_FORBIDS',
]);

/** Codes that say that another instance did nothing, which proves nothing for the function that had called it. */
const OF_OTHERS: ReadonlySet<ErrorCode> = new Set([
  'NOT_LEADER',
  'WRONG_BUCKET',
  'NOT_READY',
  'PEER_UNREACHABLE',
]);

export function isNotExecuted(error: ClusterError): boolean {
  return error.details?.[PROOF] === false;
}

/** Who leads instead, as whoever refused a call knows it: news of it may not have come here yet. */
export function leaderInRefusal(
  error: ClusterError,
): { readonly uuid: string; readonly term: number } | undefined {
  const named = error.details?.[LEADER];
  if (typeof named !== 'object' || named === null) return undefined;
  const { uuid, term } = named as Readonly<Record<string, unknown>>;
  return typeof uuid === 'string' && typeof term === 'number' ? { uuid, term } : undefined;
}

/** What was thrown before the function was entered. */
export function thrownBefore(error: unknown): unknown {
  if (!(error instanceof ClusterError) || !PASSING.has(error.code)) return error;
  return rebuilt(error, { ...error.details, [PROOF]: false });
}

/** What the function has thrown; a write promises nothing then that only holds for whom it had called. */
export function thrownWithin(error: unknown, mode: 'read' | 'write'): unknown {
  if (!(error instanceof ClusterError)) return error;
  if (mode === 'write' && OF_OTHERS.has(error.code)) return outcomeUnknown(error);
  if (!isNotExecuted(error)) return error;
  const { [PROOF]: _proof, ...details } = error.details ?? {};
  return rebuilt(error, Object.keys(details).length === 0 ? undefined : details);
}

export function outcomeUnknown(error: Error): ClusterError {
  const reason = error.message.replace(/\.$/, '');
  return new ClusterError('OUTCOME_UNKNOWN', {
    message: `The write may or may not have happened: ${reason}. Read before you write again.`,
    cause: error,
  });
}

function rebuilt(
  { code, message, field, cause }: ClusterError,
  details: Readonly<Record<string, unknown>> | undefined,
): ClusterError {
  return new ClusterError(code, {
    message,
    cause,
    ...(field === undefined ? {} : { field }),
    ...(details === undefined ? {} : { details }),
  });
}
