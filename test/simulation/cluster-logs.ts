/** Reads the logs of simulated machines from outside, for checkers: what is on the disk, whoever runs. */
import type { Position } from '../../runtime/src/contract/instance-status.ts';
import { validBatches } from '../../runtime/src/core/storage/log-format.ts';
import { RowCodec } from '../../runtime/src/core/storage/rows.ts';
import type { SimulatedDisk } from '../../runtime/src/testing/simulated-disk.ts';

export interface LogBatch {
  readonly term: number;
  readonly firstSequence: number;
  readonly rowCount: number;
  readonly payload: Uint8Array;
}

/** Up to the first gap: behind a torn end, nothing counts. */
export function logOf(disk: SimulatedDisk): readonly LogBatch[] {
  const log: LogBatch[] = [];
  for (const name of disk.names('log')) {
    for (const batch of validBatches(disk.peek(`log/${name}`) ?? new Uint8Array())) {
      if (batch.firstSequence !== endOf(log).sequence + 1) return log;
      log.push(batch);
    }
  }
  return log;
}

export function endOf(log: readonly LogBatch[]): Position {
  const last = log.at(-1);
  if (last === undefined) return { term: 0, sequence: 0 };
  return { term: last.term, sequence: last.firstSequence + last.rowCount - 1 };
}

export function promisedOn(disk: SimulatedDisk): number {
  const text = new TextDecoder().decode(disk.peek('promised.json'));
  if (text === '') return 0;
  return (JSON.parse(text) as { readonly promisedTerm: number }).promisedTerm;
}

/** The ids that clients wrote to the space `rows`. */
export function idsIn(log: readonly LogBatch[]): ReadonlySet<number> {
  const codec = new RowCodec();
  const ids = new Set<number>();
  let space: number | undefined;
  for (const row of log.flatMap(({ payload }) => codec.decode(payload))) {
    if (row.kind === 'create-space' && row.definition.name === 'rows') space = row.definition.id;
    if (row.kind === 'replace' && row.space === space) ids.add(Number(row.tuple[0]));
  }
  return ids;
}

/** Two logs that share the term of a row share everything before it: where they do not, the row's number. */
export function firstDifference(
  a: readonly LogBatch[],
  b: readonly LogBatch[],
): number | undefined {
  const shorter = Math.min(a.length, b.length);
  let same = 0;
  while (same < shorter && equal(a[same], b[same])) same++;
  const terms = new Map(b.slice(same).map(({ firstSequence, term }) => [firstSequence, term]));
  return a.slice(same).find(({ firstSequence, term }) => terms.get(firstSequence) === term)
    ?.firstSequence;
}

function equal(a: LogBatch | undefined, b: LogBatch | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return (
    a.term === b.term &&
    a.firstSequence === b.firstSequence &&
    Buffer.compare(a.payload, b.payload) === 0
  );
}
