/**
 * What a round with a stale leader has shown.
 *
 * A row that was sent after the next term was seen to have begun, or while the old leader stood still until after that,
 * was applied by it after that, if it applied it: what an instance has applied in a term is in its log, or in what was
 * cut from it.
 */
import type { Leadership } from '../support/leader-watch.ts';
import type { StaleWrite } from './stale-writers.ts';

/** When the leader certainly ran nothing. */
export interface Silence {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface StaleRound {
  readonly old: string;
  /** That it led. */
  readonly term: number;
  readonly silence: Silence | undefined;
  /** The first that was seen to be writable in a later term. */
  readonly begun: Pick<Leadership, 'name' | 'term' | 'answeredMs'> | undefined;
  readonly writes: readonly StaleWrite[];
  /** Of the round, by instance, when all are in sync again. */
  readonly found: readonly { readonly name: string; readonly rows: ReadonlySet<string> }[];
  /** All that the old leader has applied in that term. */
  readonly applied: () => readonly (readonly unknown[])[];
}

export interface StaleVerdict {
  readonly violations: readonly string[];
  readonly acknowledged: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const SHOWN = 5;

export function judgeStaleRound(round: StaleRound): StaleVerdict {
  const { writes, found, silence, begun } = round;
  const ofOutcome = (outcome: StaleWrite['outcome']): readonly StaleWrite[] =>
    writes.filter((write) => write.outcome === outcome);
  const acknowledged = ofOutcome('acknowledged').map(({ row }) => row.join('-'));
  const refused = ofOutcome('refused').map(({ row }) => row.join('-'));
  const violations = found.flatMap(({ name, rows }) => [
    ...complain(
      `acknowledged and missing on ${name}`,
      acknowledged.filter((id) => !rows.has(id)),
    ),
    ...complain(
      `refused and there on ${name}`,
      refused.filter((id) => rows.has(id)),
    ),
  ]);
  const sizes = new Set(found.map(({ rows }) => rows.size));
  if (sizes.size > 1) violations.push(`instances have ${[...sizes].join(', ')} rows of it`);
  violations.push(...appliedLate(round));
  const late = silence !== undefined && begun !== undefined && begun.answeredMs < silence.untilMs;
  const isLate = ({ sentMs, answeredMs = 0 }: StaleWrite): boolean =>
    late && sentMs < silence.fromMs && answeredMs > silence.untilMs;
  const counts = {
    acknowledged: acknowledged.length,
    refused: refused.length,
    open: ofOutcome('open').length,
    'acknowledged late': ofOutcome('acknowledged').filter(isLate).length,
  };
  return { violations, acknowledged, counts };
}

function appliedLate({
  old,
  term,
  silence,
  begun,
  writes,
  applied,
}: StaleRound): readonly string[] {
  if (begun === undefined) return [];
  const isOver = silence !== undefined && begun.answeredMs < silence.untilMs;
  const fromMs = isOver ? silence.fromMs : begun.answeredMs;
  const late = new Set(
    writes.filter(({ sentMs }) => sentMs > fromMs).map(({ row }) => row.join('-')),
  );
  const wrong = applied()
    .map((tuple) => tuple.join('-'))
    .filter((id) => late.has(id));
  return complain(
    `${old} has applied in term ${term} after ${begun.name} had begun term ${begun.term}`,
    wrong,
  );
}

function complain(what: string, ids: readonly string[]): readonly string[] {
  if (ids.length === 0) return [];
  return [`${what}: ${ids.length} rows, ${ids.slice(0, SHOWN).join(', ')}`];
}
