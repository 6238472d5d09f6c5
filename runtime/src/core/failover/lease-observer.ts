/**
 * How somebody else judges a record that its holder renews: by changes alone, on the judge's own monotonic clock.
 *
 * A record that was first seen, or changed, less than 1.1 × TTL ago may still be held: its holder counts TTL from
 * before it was written. The tenth allows for clocks that run at different rates. A record that is absent is not
 * proof of anything: its holder may not know yet that the provider has forgotten, so a full wait begins.
 */
export const OBSERVER_PATIENCE = 1.1;

export interface Observation {
  /** 0 when the record is absent. */
  readonly revision: number;
  /** When this revision was first seen. */
  readonly sinceMs: number;
}

export type RecordVerdict =
  | { readonly kind: 'held'; readonly remainingMs: number }
  | { readonly kind: 'released' }
  | { readonly kind: 'expired' };

export function observe(
  before: Observation | undefined,
  revision: number,
  nowMs: number,
): Observation {
  return before?.revision === revision ? before : { revision, sinceMs: nowMs };
}

export function judgeRecord(
  observation: Observation,
  record: { readonly released: boolean } | undefined,
  ttlMs: number,
  nowMs: number,
): RecordVerdict {
  if (record?.released === true) return { kind: 'released' };
  const remainingMs = observation.sinceMs + OBSERVER_PATIENCE * ttlMs - nowMs;
  return remainingMs > 0 ? { kind: 'held', remainingMs } : { kind: 'expired' };
}
