import { ClusterError } from '../core/errors.ts';

/** A transaction that waits would let others see what it has not finished. */
export function refuseThenable(result: unknown): void {
  const then: unknown =
    typeof result === 'object' && result !== null && 'then' in result ? result.then : undefined;
  if (typeof then !== 'function') return;
  // Its rejection would otherwise count as one that nobody handles.
  void Promise.resolve(result).catch(() => undefined);
  throw new ClusterError('REQUEST_INVALID', {
    message: 'A transaction must not wait: give a function that is not asynchronous.',
  });
}
