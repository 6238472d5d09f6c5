/** What a coordinator reads before it decides. */
import { z } from 'zod';
import { positionSchema } from '../contract/instance-status.ts';

import {
  type Appointment,
  appointmentSchema,
  type Lease,
  leaseSchema,
  providerKeys,
  seatSchema,
} from '../contract/provider-records.ts';

import type { ProviderEntry, ProviderListing, StateProvider } from '../ports/state-provider.ts';

import { parseRecord } from './stored-records.ts';

export interface Stored<T> {
  readonly record: T;
  readonly revision: number;
}

export interface View {
  readonly leaders: ReadonlyMap<string, Stored<Appointment>>;
  readonly leases: ReadonlyMap<string, Stored<Lease>>;
  readonly identity: ProviderEntry | undefined;
}

/** What an instance answers that was asked to promise a term. */
export const promiseReportSchema = z.object({
  position: positionSchema,
  promisedTerm: z.int().min(0),
  logIncarnation: z.int().min(1),
  lastInSync: z
    .object({ term: z.int().min(1), leader: z.string(), inSync: z.array(seatSchema) })
    .optional(),
});

export async function readView(
  from: { readonly provider: StateProvider; readonly ttlMs: number },
  signal: AbortSignal,
): Promise<View> {
  const { provider, ttlMs } = from;
  const options = { timeoutMs: ttlMs / 3, signal };
  const { leaders, leases, identity } = providerKeys;
  const listing = await provider.list([leaders, leases, identity], options);
  return {
    leaders: byReplicaSet(listing, leaders, appointmentSchema),
    leases: byReplicaSet(listing, leases, leaseSchema),
    identity: listing.entries.find(({ key }) => key === identity),
  };
}

function byReplicaSet<T extends z.ZodType>(
  listing: ProviderListing,
  prefix: string,
  schema: T,
): ReadonlyMap<string, Stored<z.infer<T>>> {
  const found = listing.entries.filter(({ key }) => key.startsWith(prefix));
  return new Map(
    found.map((entry) => [
      entry.key.slice(prefix.length),
      { record: parseRecord(entry, schema), revision: entry.revision },
    ]),
  );
}
