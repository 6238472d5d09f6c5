/**
 * Who the cluster and its replica sets are.
 *
 * An identity is what the data carries: once data exists, everything else follows it. So the order is: what the cluster
 * config says, what the status has recorded, what the claims of an earlier object of this name say, and only then the
 * UID of the object itself, which nobody has to remember and no second operator would choose differently. The claims of
 * a replica set that was removed and made again carry the UUID of the first; the config corrects what they have told.
 */
import type { PersistentVolumeClaim } from '../api/kube-object.ts';
import { LABELS } from '../api/names.ts';
import type { ReplicaSet } from '../api/v1alpha1/replica-set.ts';
import { CLAIM_LABELS } from './resources/names.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { readTopology } from './topology.ts';

export type ClusterIdentity =
  | { readonly kind: 'known'; readonly uuid: string; readonly source: 'status' | 'claims' | 'new' }
  /** Claims of several clusters that had this name: choosing one would hide the rows of the others. */
  | { readonly kind: 'ambiguous'; readonly uuids: readonly string[] };

/** All that the identity of a cluster is chosen from. */
export type IdentityFacts = Pick<ClusterSnapshot, 'cluster' | 'claims'>;

export function identifyCluster(snapshot: IdentityFacts): ClusterIdentity {
  const { cluster, claims } = snapshot;
  const recorded = cluster.status?.uuid;
  if (recorded !== undefined) return { kind: 'known', uuid: recorded, source: 'status' };
  const uuids = [...new Set(claims.flatMap((claim) => labelOf(claim, CLAIM_LABELS.clusterUuid)))];
  const [first, ...others] = uuids.toSorted();
  if (first === undefined) {
    return { kind: 'known', uuid: cluster.metadata.uid ?? '', source: 'new' };
  }
  if (others.length > 0) return { kind: 'ambiguous', uuids: [first, ...others] };
  return { kind: 'known', uuid: first, source: 'claims' };
}

/** For rules that come after the one which stops on an ambiguous identity. */
export function clusterUuidOf(snapshot: IdentityFacts): string {
  const identity = identifyCluster(snapshot);
  return identity.kind === 'known' ? identity.uuid : '';
}

/** Has it been written where it cannot get lost? */
export function isIdentified(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): boolean {
  if (replicaSet.status?.uuid !== undefined) return true;
  return claimedUuid(snapshot, replicaSet.metadata.name) !== undefined;
}

export function replicaSetUuidOf(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): string {
  const name = replicaSet.metadata.name;
  const replicaSets = Object.entries(readTopology(snapshot.config).replicasets);
  const configured = replicaSets.find(([, { alias }]) => alias === name);
  if (configured !== undefined) return configured[0];
  const recorded = replicaSet.status?.uuid;
  if (recorded !== undefined) return recorded;
  // With a config at hand, a set that is not in it was removed: its claims are those of strangers.
  const claimed = snapshot.config === undefined ? claimedUuid(snapshot, name) : undefined;
  return claimed ?? replicaSet.metadata.uid ?? '';
}

function claimedUuid(snapshot: ClusterSnapshot, replicaSet: string): string | undefined {
  const clusterUuid = clusterUuidOf(snapshot);
  return snapshot.claims
    .filter((claim) => claim.metadata.labels?.[LABELS.replicaSet] === replicaSet)
    .filter((claim) => claim.metadata.labels?.[CLAIM_LABELS.clusterUuid] === clusterUuid)
    .flatMap((claim) => labelOf(claim, CLAIM_LABELS.replicaSetUuid))
    .toSorted()[0];
}

function labelOf(claim: PersistentVolumeClaim, label: string): readonly string[] {
  const value = claim.metadata.labels?.[label];
  return value === undefined ? [] : [value];
}
