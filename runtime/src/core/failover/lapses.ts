/**
 * Who has let a lease run out, and in which term last.
 *
 * Such an instance is cut off from the state provider, or stands still: it would not keep the next lease either. It may be
 * reached by everybody else all the same, promise what it is asked to, and have the longest log; so without this memory
 * it would be appointed term after term, and its replica set would have no leader for as long. It is forgotten once
 * somebody has taken the lease: then there is a leader, and who can be one may have changed until it is lost. Nothing
 * that was acknowledged depends on it: it only orders those that may be appointed.
 */
import type { Appointment, Lease } from '../../contract/provider-records.ts';
import type { RecordVerdict } from './lease-observer.ts';

/** By instance, the last term whose lease ran out. */
export type Lapses = ReadonlyMap<string, number>;

export const NO_LAPSES: Lapses = new Map();

export function noteLapse(
  before: Lapses,
  records: { readonly appointment: Appointment | undefined; readonly lease: Lease | undefined },
  verdict: RecordVerdict,
): Lapses {
  const { appointment, lease } = records;
  const holder = lease?.holder ?? appointment?.leader;
  if (holder === undefined || appointment === undefined) return before;
  if (verdict.kind === 'expired') return new Map(before).set(holder, appointment.term);
  // Until it is taken, a lease has the incarnation that nobody has.
  return verdict.kind === 'held' && (lease?.incarnation ?? 0) > 0 ? NO_LAPSES : before;
}
