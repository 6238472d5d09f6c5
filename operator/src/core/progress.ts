/** How far the life of a cluster has come. */
import { LABELS } from '../api/names.ts';
import { clusterUuidOf } from './identity.ts';
import { CLAIM_LABELS } from './resources/names.ts';
import { isBlank, seatsOf } from './seats.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { memberSets } from './wanted-sets.ts';

/**
 * Was there ever a config? The status remembers it: once true, blank instances are lost ones, and no second cluster
 * is ever begun with them.
 */
export function isBootstrapped(snapshot: ClusterSnapshot): boolean {
  if (snapshot.config !== undefined) return true;
  const conditions = snapshot.cluster.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Bootstrapped' && status === 'True');
}

/**
 * May there be a config that nobody has told yet? It is on the volumes, so until the instances with volumes have
 * answered, nothing may be chosen that it may say otherwise, such as the identity of a replica set without volumes.
 */
export function mayHideConfig(snapshot: ClusterSnapshot): boolean {
  if (snapshot.config !== undefined) return false;
  if (isBootstrapped(snapshot)) return true;
  const clusterUuid = clusterUuidOf(snapshot);
  const claimed = snapshot.claims
    .filter(({ metadata }) => metadata.labels?.[CLAIM_LABELS.clusterUuid] === clusterUuid)
    .filter(({ metadata }) => metadata.labels?.[LABELS.replicaSet] !== undefined)
    .map(({ metadata }) => metadata.name);
  return memberSets(snapshot)
    .flatMap((replicaSet) => seatsOf(snapshot, replicaSet))
    .filter(({ wanted, name }) => wanted && claimed.some((claim) => claim.endsWith(`-${name}`)))
    .some((seat) => !isBlank(seat));
}
