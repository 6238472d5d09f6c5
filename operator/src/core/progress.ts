/** How far the life of a cluster has come. */
import type { ClusterSnapshot } from './snapshot.ts';

/**
 * Was there ever a config? The status remembers it: once true, blank instances are lost ones, and no second cluster
 * is ever begun with them.
 */
export function isBootstrapped(snapshot: ClusterSnapshot): boolean {
  if (snapshot.config !== undefined) return true;
  const conditions = snapshot.cluster.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Bootstrapped' && status === 'True');
}
