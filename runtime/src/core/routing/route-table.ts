/** Which replica set owns a bucket, from the cluster config. Pure. */
import type { BucketRange, Topology, VshardGroups } from '../../contract/cluster-config.ts';

export interface RouteTable {
  readonly bucketCount: number;
  /** Sorted by first bucket; ranges do not overlap. */
  readonly ranges: readonly BucketRange[];
}

export const EMPTY_ROUTE_TABLE: RouteTable = { bucketCount: 0, ranges: [] };

export function buildRouteTable(groups: VshardGroups, group = 'default'): RouteTable {
  const found = groups[group];
  if (found === undefined) return EMPTY_ROUTE_TABLE;
  return {
    bucketCount: found.bucket_count,
    ranges: found.assignment.toSorted((a, b) => a.first - b.first),
  };
}

/** The replica set that owns `bucketId`, by binary search; undefined when none does. */
export function findOwner(table: RouteTable, bucketId: number): string | undefined {
  let low = 0;
  let high = table.ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = table.ranges[middle];
    if (range === undefined) return undefined;
    if (bucketId < range.first) high = middle - 1;
    else if (bucketId > range.last) low = middle + 1;
    else return range.replicaset_uuid;
  }
  return undefined;
}

/** Replica sets that own at least one bucket, sorted. */
export function ownersOf(table: RouteTable): readonly string[] {
  return [...new Set(table.ranges.map((range) => range.replicaset_uuid))].sort();
}

/** `http_uri` of an enabled instance; undefined when it is unknown, disabled or expelled. */
export function addressOf(topology: Topology, instanceUuid: string): string | undefined {
  const server = topology.servers[instanceUuid];
  return server === undefined || server === 'expelled' || server.disabled
    ? undefined
    : server.http_uri;
}
