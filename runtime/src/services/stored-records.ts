/** Reads records of the state provider. One that does not fit its schema is never taken for an absent one. */
import type { z } from 'zod';
import { ClusterError } from '../core/errors.ts';
import type { ProviderEntry } from '../ports/state-provider.ts';

export function parseRecord<T extends z.ZodType>(entry: ProviderEntry, schema: T): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(entry.value);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ClusterError('PROVIDER_UNAVAILABLE', {
    message: `The state provider's record "${entry.key}" is not one that this version can read. Does another program or version write below the same prefix?`,
    details: { key: entry.key, revision: entry.revision },
  });
}

/** May a call simply be tried again later? */
export function isProviderTrouble(error: unknown): boolean {
  if (error instanceof ClusterError) return error.code === 'PROVIDER_UNAVAILABLE';
  return error instanceof Error && error.name === 'ProviderError';
}
