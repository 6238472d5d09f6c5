/**
 * How somebody else judges a record that its holder renews: by changes alone, on the judge's own monotonic clock.
 *
 * A record that was first seen, or changed, less than 1.1 × TTL ago may still be held: its holder counts TTL from
 * before it was written. The tenth allows for clocks that run at different rates. A record that is absent is not
 * proof of anything: its holder may not know yet that the provider has forgotten, so a full wait begins.
 */
export const OBSERVER_PATIENCE = 1.1;

export interface Observation {
  /** Differs whenever the record differs, or is absent anew. */
  readonly version: string;
  /** When this version was first seen. */
  readonly sinceMs: number;
}

export type RecordVerdict =
  | { readonly kind: 'held'; readonly remainingMs: number }
  | { readonly kind: 'released' }
  | { readonly kind: 'expired' };

/**
 * The nonce too: a store that was set up anew may give a revision again. Absence has neither; but nothing creates a
 * lease record except an appointment, so its term tells one absence from a later one that the judge did not see begin.
 */
export function versionOf(
  record: { readonly nonce: string } | undefined,
  revision: number,
  appointedTerm = 0,
): string {
  return record === undefined ? `absent in term ${appointedTerm}` : `${revision} ${record.nonce}`;
}

export function observe(
  before: Observation | undefined,
  version: string,
  nowMs: number,
): Observation {
  return before?.version === version ? before : { version, sinceMs: nowMs };
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
