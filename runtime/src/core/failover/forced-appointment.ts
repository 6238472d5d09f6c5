/**
 * The inconsistent promotion: an instance that was not in sync leads, because somebody says so and gives up what only
 * the lost in-sync members have. All other rules stand.
 *
 * Still nobody else may be writable. A lease that has run out is not enough here, as it is elsewhere: a holder that
 * cannot reach the provider may go on while its in-sync members grant it, or while it is the only one; what ends that
 * is the promise of an in-sync member, and none of them is here. So the holder must have released its lease, or have
 * promised the new term itself, or be named by the one who forces as stopped for good.
 */
import type { Position } from '../../contract/instance-status.ts';
import type { Appointment, Seat } from '../../contract/provider-records.ts';
import type { Candidate, PromiseReport } from './candidate.ts';
import type { RecordVerdict } from './lease-observer.ts';
import { comparePositions } from './seats.ts';

/** What somebody has asked for. */
export interface Wish {
  /** Whom; left out: whoever is fit. */
  readonly to?: string | undefined;
  readonly force?: ForceWish | undefined;
}

export interface ForceWish {
  /** What was called, for the record. */
  readonly command: string;
  /** Instances that will never write again, by the word of the one who forces. */
  readonly stopped: readonly string[];
}

export interface ForceSituation {
  readonly term: number;
  readonly members: readonly Candidate[];
  /** Undefined when the state provider knows of none, or has forgotten the last. */
  readonly appointment: Appointment | undefined;
  readonly holder: string | undefined;
  readonly verdict: RecordVerdict;
  readonly promised: ReadonlyMap<string, PromiseReport>;
  /** The end of what was acknowledged, as far as it was heard of. */
  readonly acknowledged: Position | undefined;
}

export type ForceVerdict =
  | { readonly kind: 'appoint'; readonly seat: Seat; readonly forced: Forced }
  /** These may still be writable. */
  | { readonly kind: 'not-stopped'; readonly instances: readonly string[] }
  | { readonly kind: 'nobody' };

export type Forced = NonNullable<Appointment['forced']>;

export function judgeForce(
  { to, force }: Wish & { readonly force: ForceWish },
  situation: ForceSituation,
): ForceVerdict {
  const instances = possibleWriters(situation).filter((uuid) => !force.stopped.includes(uuid));
  if (instances.length > 0) return { kind: 'not-stopped', instances };
  const { promised, members, acknowledged, term } = situation;
  const fit = members.flatMap(({ uuid, electable, disabled }) => {
    const report = promised.get(uuid);
    const isFit = electable && !disabled && (to === undefined || uuid === to);
    return isFit && report !== undefined ? [{ uuid, report }] : [];
  });
  const [best] = fit.toSorted((a, b) => comparePositions(b.report.position, a.report.position));
  if (best === undefined) return { kind: 'nobody' };
  const rowsLost = (acknowledged?.sequence ?? 0) - best.report.position.sequence;
  return {
    kind: 'appoint',
    seat: { uuid: best.uuid, incarnation: best.report.logIncarnation },
    forced: {
      term,
      command: force.command,
      missing: missingSeats(situation).map(({ uuid }) => uuid),
      ...(acknowledged === undefined ? {} : { rowsLost: Math.max(0, rowsLost) }),
    },
  };
}

/** Instances of the set that may hold a lease or go on without, and have not promised the new term. */
export function possibleWriters(situation: ForceSituation): readonly string[] {
  const { members, appointment, verdict, promised } = situation;
  const silent = members.map(({ uuid }) => uuid).filter((uuid) => !promised.has(uuid));
  if (appointment === undefined) return silent;
  if (verdict.kind === 'released') return [];
  return silent.filter((uuid) => uuid === (situation.holder ?? appointment.leader));
}

/** In-sync seats that nobody has any more who answers. */
export function missingSeats({ appointment, promised }: ForceSituation): readonly Seat[] {
  return (appointment?.inSync ?? []).filter(
    (seat) => promised.get(seat.uuid)?.logIncarnation !== seat.incarnation,
  );
}
