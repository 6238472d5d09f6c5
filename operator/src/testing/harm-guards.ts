/** What an operator must never do to a cluster, watched from outside: each throws when it is done. */
import type { Topology } from '@tonearm/runtime/contract';
import type { StatefulSet } from '../api/kube-object.ts';

/** One pod at a time, and none whose instance the config still knows. */
export function guardLowering(
  before: StatefulSet | undefined,
  next: StatefulSet,
  joined: readonly string[],
): void {
  const { name } = next.metadata;
  const from = before?.spec.replicas ?? 0;
  const to = next.spec.replicas ?? 0;
  if (from - to > 1) throw new Error(`${name} was lowered from ${from} to ${to}`);
  if (to < from && joined.includes(`${name}-${to}`)) {
    throw new Error(`${name}-${to} loses its pod before it is expelled`);
  }
}

/** At most one copy of any row goes at a time, and never the one that leads. */
export function guardSeats(
  before: Topology,
  next: Topology,
  facts: {
    readonly leaders: ReadonlyMap<string, string>;
    readonly ownsRows: (roles: readonly string[]) => boolean;
  },
): void {
  for (const [set, replicaSet] of Object.entries(before.replicasets)) {
    if (!facts.ownsRows(replicaSet.roles)) continue;
    const gone = Object.entries(before.servers)
      .filter(([, server]) => server !== 'expelled' && server.replicaset_uuid === set)
      .map(([uuid]) => uuid)
      .filter((uuid) => next.servers[uuid] === 'expelled');
    if (gone.length > 1) throw new Error(`${gone.length} seats of ${replicaSet.alias} go at once`);
    if (gone.includes(facts.leaders.get(set) ?? '')) {
      throw new Error(`the leader of ${replicaSet.alias} is expelled`);
    }
  }
}
