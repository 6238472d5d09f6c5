/** How often the leader of a replica set changed, and whether it is left alone for that (FO-61). */
export interface LeaderChanges {
  /** The last leader that was seen; undefined before the first. */
  readonly leader: string | undefined;
  /** Of the last window. */
  readonly changedMs: readonly number[];
  readonly suppressedUntilMs: number;
}

export interface SuppressingLimits {
  readonly threshold: number;
  readonly windowMs: number;
}

export const NO_CHANGES: LeaderChanges = {
  leader: undefined,
  changedMs: [],
  suppressedUntilMs: Number.NEGATIVE_INFINITY,
};

/** More than `threshold` changes within a window suppress for another one; then counting begins anew. */
export function noteLeader(
  changes: LeaderChanges,
  leader: string,
  nowMs: number,
  { threshold, windowMs }: SuppressingLimits,
): LeaderChanges {
  if (leader === changes.leader) return changes;
  if (changes.leader === undefined) return { ...changes, leader };
  const recent = changes.changedMs.filter((atMs) => atMs > nowMs - windowMs);
  const changedMs = [...recent, nowMs];
  if (changedMs.length <= threshold) return { ...changes, leader, changedMs };
  return { leader, changedMs: [], suppressedUntilMs: nowMs + windowMs };
}
