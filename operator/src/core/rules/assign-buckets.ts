/**
 * The first assignment of buckets is part of the change that first has a replica set to own them. From then on it is
 * never edited: buckets will move by themselves, between replica sets.
 */
import { bootstrapGroup } from '@tonearm/runtime/config';
import type { ConfigDraft, Edited } from '../config-draft.ts';
import { storesBuckets } from '../roles.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { DEFAULT_GROUP, defaultGroup } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

export function assignBuckets(snapshot: ClusterSnapshot): readonly Verdict[] {
  const group = defaultGroup(snapshot.config);
  if (group?.bootstrapped === true) return [];
  const { bucketCount } = snapshot.cluster.spec;
  const owners = memberSets(snapshot)
    .filter((replicaSet) => !isLeaving(snapshot, replicaSet))
    .filter(({ spec }) => spec.weight > 0 && spec.replicas > 0)
    .filter(({ spec }) => storesBuckets(spec.roles, snapshot.roles ?? []));
  if (owners.length === 0 && group !== undefined) return [];
  return [
    {
      kind: 'edit',
      edit: (draft) => assign(draft, bucketCount),
      reason: 'AssigningBuckets',
      message: `${bucketCount} buckets are assigned to ${owners.length} replica sets.`,
    },
  ];
}

/** Without an owner the group is only declared, so that its size is known. */
function assign(draft: ConfigDraft, bucketCount: number): Edited {
  const wanted = { group: DEFAULT_GROUP, bucketCount };
  const bootstrapped = bootstrapGroup(draft.groups, draft.topology, wanted);
  if (bootstrapped.kind === 'bootstrapped') {
    return { kind: 'edited', draft: { ...draft, groups: bootstrapped.groups } };
  }
  const declared = { bucket_count: bucketCount, bootstrapped: false, assignment: [] };
  const groups = { ...draft.groups, [DEFAULT_GROUP]: draft.groups[DEFAULT_GROUP] ?? declared };
  return { kind: 'edited', draft: { ...draft, groups } };
}
