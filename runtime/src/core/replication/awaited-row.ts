/**
 * For which row an answer waits, and where, in one number: a positive one until every in-sync member has that row, a
 * negative one until the leader's own log has it, 0 for nothing.
 */
export type AwaitedRow = number;

export function awaited(sequence: number, isLocal: boolean): AwaitedRow {
  return isLocal ? -sequence : sequence;
}

/** For an answer that both concern: what is in sync up to the later row is in the own log as well. */
export function later(a: AwaitedRow, b: AwaitedRow): AwaitedRow {
  return a <= 0 && b <= 0 ? Math.min(a, b) : Math.max(Math.abs(a), Math.abs(b));
}

export function isAwaited(row: AwaitedRow, acknowledged: number, logged: number): boolean {
  return row < 0 ? -row > logged : row > acknowledged;
}
