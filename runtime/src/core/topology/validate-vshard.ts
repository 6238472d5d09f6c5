/** What must hold between groups of buckets and the replica sets that own them (VVAL-01, 03, 04, 06). */
import type { BucketRange, ReplicaSetConfig, VshardGroup } from '../../contract/cluster-config.ts';
import type { ConfigIssue, ValidationView } from './validation-view.ts';

type Rule = (view: ValidationView) => readonly ConfigIssue[];

const rules: readonly Rule[] = [
  keepGroups,
  requireWholeAssignment,
  requireOwners,
  requireGroupOfReplicaSet,
  keepGroupOfReplicaSet,
  requireWeight,
];

export function validateVshard(view: ValidationView): readonly ConfigIssue[] {
  return rules.flatMap((rule) => rule(view));
}

/** What a group was bootstrapped with is where its rows are. */
function keepGroups(view: ValidationView): readonly ConfigIssue[] {
  const before = Object.entries(view.previous?.groups ?? {}).filter(([, one]) => one.bootstrapped);
  return before.flatMap(([name, old]) => {
    const group = view.groups[name];
    if (group === undefined) {
      return [issue('VVAL-01', name, 'cannot be removed: its buckets hold data')];
    }
    const fields = [
      [group.bucket_count !== old.bucket_count, 'bucket_count'],
      [group.bootstrapped !== old.bootstrapped, 'bootstrapped'],
      [!sameRanges(group.assignment, old.assignment), 'assignment'],
    ] as const;
    return fields
      .filter(([changed]) => changed)
      .map(([, field]) =>
        issue('VVAL-01', `${name}.${field}`, 'cannot change once the group is bootstrapped'),
      );
  });
}

/** Every bucket has exactly one owner. */
function requireWholeAssignment(view: ValidationView): readonly ConfigIssue[] {
  return Object.entries(view.groups).flatMap(([name, group]) => {
    const field = `${name}.assignment`;
    if (!group.bootstrapped) {
      if (group.assignment.length === 0) return [];
      return [issue('VVAL-01', field, 'must be empty until the group is bootstrapped')];
    }
    const gap = findGap(group);
    return gap === undefined ? [] : [issue('VVAL-01', field, gap)];
  });
}

function findGap(group: VshardGroup): string | undefined {
  let next = 1;
  for (const range of group.assignment.toSorted((a, b) => a.first - b.first)) {
    if (range.last < range.first) return `has a range that ends before it begins (${range.first})`;
    if (range.first > next) return `leaves bucket ${next} without an owner`;
    if (range.first < next) return `gives bucket ${range.first} to two owners`;
    next = range.last + 1;
  }
  if (next <= group.bucket_count) return `leaves bucket ${next} without an owner`;
  if (next > group.bucket_count + 1) return `names bucket ${next - 1} of ${group.bucket_count}`;
  return undefined;
}

/** Until buckets can move, a replica set that was given some stays. */
function requireOwners(view: ValidationView): readonly ConfigIssue[] {
  return Object.entries(view.groups).flatMap(([name, group]) =>
    group.assignment.flatMap((range, index) => {
      const field = `${name}.assignment.${index}.replicaset_uuid`;
      const owner = view.topology.replicasets[range.replicaset_uuid];
      if (owner === undefined) {
        return [
          issue('VVAL-06', field, `owns buckets, so ${range.replicaset_uuid} cannot be removed`),
        ];
      }
      if (view.storesBuckets?.(owner.roles) ?? true) return [];
      return [
        issue(
          'VVAL-06',
          field,
          `owns buckets, so ${owner.alias} cannot lose the role that stores them`,
        ),
      ];
    }),
  );
}

function requireGroupOfReplicaSet(view: ValidationView): readonly ConfigIssue[] {
  const names = Object.keys(view.groups);
  return storages(view)
    .filter(([, replicaSet]) => !allowedGroups(names).includes(replicaSet.vshard_group))
    .map(([uuid, replicaSet]) =>
      topologyIssue(
        'VVAL-04',
        `${uuid}.vshard_group`,
        `is "${replicaSet.vshard_group}", and there is only ${allowedGroups(names).join(', ')}`,
      ),
    );
}

function allowedGroups(names: readonly string[]): readonly string[] {
  return names.length === 0 ? ['default'] : names;
}

function keepGroupOfReplicaSet(view: ValidationView): readonly ConfigIssue[] {
  return storages(view).flatMap(([uuid, replicaSet]) => {
    const before = view.previous?.topology.replicasets[uuid];
    if (before === undefined || !(view.storesBuckets?.(before.roles) ?? false)) return [];
    if (before.vshard_group === replicaSet.vshard_group) return [];
    return [topologyIssue('VVAL-04', `${uuid}.vshard_group`, 'cannot change')];
  });
}

function requireWeight(view: ValidationView): readonly ConfigIssue[] {
  const all = storages(view);
  const names = [...new Set(all.map(([, replicaSet]) => replicaSet.vshard_group))];
  return names.flatMap((name) => {
    const members = all.filter(([, replicaSet]) => replicaSet.vshard_group === name);
    if (members.some(([, replicaSet]) => replicaSet.weight > 0)) return [];
    const message = `is 0 in every replica set of group "${name}": one must take buckets`;
    return members.slice(0, 1).map(([uuid]) => topologyIssue('VVAL-03', `${uuid}.weight`, message));
  });
}

function storages(view: ValidationView): readonly (readonly [string, ReplicaSetConfig])[] {
  return Object.entries(view.topology.replicasets)
    .filter(([, replicaSet]) => view.storesBuckets?.(replicaSet.roles) ?? false)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function sameRanges(a: readonly BucketRange[], b: readonly BucketRange[]): boolean {
  const text = (ranges: readonly BucketRange[]): string =>
    ranges
      .map((range) => `${range.first}-${range.last}:${range.replicaset_uuid}`)
      .toSorted()
      .join();
  return text(a) === text(b);
}

function issue(rule: string, path: string, message: string): ConfigIssue {
  return { field: `sections.vshard_groups.${path}`, rule, message };
}

function topologyIssue(rule: string, path: string, message: string): ConfigIssue {
  return { field: `sections.topology.replicasets.${path}`, rule, message };
}
