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

const CALL_TIMEOUT_MS = 1000;
const RETRY_MS = 200;

export interface ReleaseOptions {
  readonly provider: StateProvider;
  readonly clock: Clock;
  readonly limitMs: number;
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
  { provider, clock }: ReleaseOptions,
  endMs: number,
): Promise<boolean> {
  while (clock.monotonicMs() < endMs) {
    try {
      const entry = await provider.get(key, { timeoutMs: CALL_TIMEOUT_MS });
      const record = entry && naming(entry, held);
      if (entry === undefined || record === undefined) return true;
      const value = JSON.stringify({ ...record, released: true });
      const outcome = await provider.transact(
        { compare: [{ key, revision: entry.revision }], writes: [{ kind: 'put', key, value }] },
        { timeoutMs: CALL_TIMEOUT_MS },
      );
      if (outcome.kind === 'applied') return true;
    } catch {
      // Whatever failed, the record is read again: a tombstone may or may not be there.
      await clock.sleep(RETRY_MS);
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
