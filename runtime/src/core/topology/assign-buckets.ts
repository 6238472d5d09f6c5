/**
 * The first assignment of buckets: one contiguous range per replica set, sized by weight.
 *
 * It is part of the change that bootstraps a group, so every instance reads the same owners from the config. Sets are
 * taken by UUID and the remainder goes to the largest fractions, ties by UUID: the same topology always gives the
 * same ranges.
 */
import type {
  BucketRange,
  Topology,
  VshardGroup,
  VshardGroups,
} from '../../contract/cluster-config.ts';
import type { Refusal } from '../../contract/two-phase.ts';
import { assert } from '../../foundation/assert.ts';

export type BootstrappedGroup =
  | { readonly kind: 'bootstrapped'; readonly groups: VshardGroups }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** A group that is bootstrapped stays as it is. */
export function bootstrapGroup(
  groups: VshardGroups,
  topology: Topology,
  options: { readonly group: string; readonly bucketCount: number },
): BootstrappedGroup {
  if (groups[options.group]?.bootstrapped === true) return { kind: 'bootstrapped', groups };
  const assignment = assignBuckets(topology, options);
  if (assignment.length === 0) {
    return {
      kind: 'refused',
      refusal: {
        code: 'CONFIG_INVALID',
        message: `No replica set of group "${options.group}" has a weight: nobody can own its buckets.`,
        field: `sections.vshard_groups.${options.group}`,
      },
    };
  }
  const group: VshardGroup = {
    bucket_count: options.bucketCount,
    bootstrapped: true,
    assignment: [...assignment],
  };
  return { kind: 'bootstrapped', groups: { ...groups, [options.group]: group } };
}

/** Empty when no replica set of the group has a weight. */
export function assignBuckets(
  topology: Topology,
  options: { readonly group: string; readonly bucketCount: number },
): readonly BucketRange[] {
  const { group, bucketCount } = options;
  assert(bucketCount > 0, 'there are buckets to assign');
  const owners = Object.entries(topology.replicasets)
    .filter(([, replicaSet]) => replicaSet.vshard_group === group && replicaSet.weight > 0)
    .map(([uuid, replicaSet]) => ({ uuid, weight: replicaSet.weight }))
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  const weightTotal = owners.reduce((sum, owner) => sum + owner.weight, 0);
  const shares = owners.map((owner) => {
    const fair = (bucketCount * owner.weight) / weightTotal;
    return { uuid: owner.uuid, whole: Math.floor(fair), fraction: fair - Math.floor(fair) };
  });
  const rest = bucketCount - shares.reduce((sum, share) => sum + share.whole, 0);
  const favoured = shares
    .toSorted((a, b) => b.fraction - a.fraction || (a.uuid < b.uuid ? -1 : 1))
    .slice(0, rest)
    .map((share) => share.uuid);

  const ranges: BucketRange[] = [];
  let first = 1;
  for (const { uuid, whole } of shares) {
    const count = whole + (favoured.includes(uuid) ? 1 : 0);
    if (count === 0) continue;
    ranges.push({ replicaset_uuid: uuid, first, last: first + count - 1 });
    first += count;
  }
  assert(owners.length === 0 || first === bucketCount + 1, 'every bucket has one owner');
  return ranges;
}
