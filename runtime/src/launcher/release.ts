/**
 * Writes the tombstones of a dead process: whatever still names it is released, so that nobody waits for a lease
 * that nobody can use. Only for a process that is known to be dead.
 */
import {
  type CoordinatorLock,
  coordinatorLockSchema,
  type Lease,
  leaseSchema,
  providerKeys,
} from '../contract/provider-records.ts';
import type { Clock } from '../foundation/clock.ts';
import type { ProviderEntry, StateProvider } from '../ports/state-provider.ts';
import type { Held } from './held.ts';

const CALL_TIMEOUT_MS = 500;
/** Soon: when the state provider is back, a replica set waits for this. */
const RETRY_MS = 100;

export interface ReleaseOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly limitMs: number;
  /** Gives up when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves to the keys that may still name the process when the time was up. */
export async function releaseHeld(held: Held, options: ReleaseOptions): Promise<readonly string[]> {
  const keys = [...held.leases.map(providerKeys.lease), ...(held.lock ? [providerKeys.lock] : [])];
  const endMs = options.clock.monotonicMs() + options.limitMs;
  const outcomes = await Promise.all(
    keys.map(async (key) => ((await releaseKey(key, held, options, endMs)) ? [] : [key])),
  );
  return outcomes.flat();
}

async function releaseKey(
  key: string,
  held: Held,
  { provider, clock, signal }: ReleaseOptions,
  endMs: number,
): Promise<boolean> {
  const call = { timeoutMs: CALL_TIMEOUT_MS, ...(signal && { signal }) };
  while (clock.monotonicMs() < endMs && signal?.aborted !== true) {
    try {
      const entry = await provider.get(key, call);
      const record = entry && naming(entry, held);
      if (entry === undefined || record === undefined) return true;
      const value = JSON.stringify({ ...record, released: true });
      const outcome = await provider.transact(
        { compare: [{ key, revision: entry.revision }], writes: [{ kind: 'put', key, value }] },
        call,
      );
      if (outcome.kind === 'applied') return true;
    } catch {
      // Whatever failed, the record is read again: a tombstone may or may not be there.
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
  return false;
}

/** The record, if it names the dead process and is not released. */
function naming(entry: ProviderEntry, held: Held): Lease | CoordinatorLock | undefined {
  const schema = entry.key === providerKeys.lock ? coordinatorLockSchema : leaseSchema;
  const record = schema.parse(JSON.parse(entry.value));
  const names = record.holder === held.holder && record.incarnation === held.incarnation;
  return names && !record.released ? record : undefined;
}
