import { ClusterError } from '../../runtime/src/core/errors.ts';

/** What an error of the storage tells a client: `refused` when nothing was done, `unknown`, or a sentence. */
export function verdict(error: unknown): string {
  if (!(error instanceof ClusterError)) return `failed with ${String(error)}`;
  if (error.code === 'NO_LEADER' || error.code === 'REQUEST_INVALID') return 'refused';
  return error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : `failed with ${error.code}`;
}
