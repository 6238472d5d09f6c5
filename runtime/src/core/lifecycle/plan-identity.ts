/**
 * Who an instance is at this start, from what its data directory says. Pure.
 *
 * `logIncarnation` grows when the end of the log may be missing: in log mode `write` after another boot of the kernel,
 * because what was written but not synced lived in its memory, and when this start lays the log aside. A seat among
 * the in-sync members is lost with it.
 */
import type { InstanceIdentity } from '../../contract/identity.ts';

export interface StartFacts {
  readonly clusterUuid: string;
  /** Empty when the system does not tell: then every start counts as another boot. */
  readonly bootId: string;
  readonly logMode: 'write' | 'fsync';
  /** The rows are laid aside at this start. */
  readonly isReseeding: boolean;
  /** Used when the directory is empty. */
  readonly newUuid: string;
}

export type IdentityPlan =
  | { readonly kind: 'identity'; readonly identity: InstanceIdentity; readonly isNew: boolean }
  | { readonly kind: 'foreign'; readonly reason: string };

export function planIdentity(found: InstanceIdentity | undefined, facts: StartFacts): IdentityPlan {
  const { clusterUuid, bootId, logMode, newUuid, isReseeding } = facts;
  if (found === undefined) {
    const identity = {
      v: 1 as const,
      uuid: newUuid,
      clusterUuid,
      incarnation: 1,
      logIncarnation: 1,
      bootId,
    };
    return { kind: 'identity', identity, isNew: true };
  }
  if (found.clusterUuid !== clusterUuid) {
    const reason =
      `the data directory belongs to cluster ${found.clusterUuid}, but this instance was started for cluster ` +
      `${clusterUuid}: give it the right directory, or move the old one away`;
    return { kind: 'foreign', reason };
  }
  const isSameBoot = bootId !== '' && bootId === found.bootId;
  const keepsSeat = (isSameBoot || logMode === 'fsync') && !isReseeding;
  return {
    kind: 'identity',
    identity: {
      ...found,
      incarnation: found.incarnation + 1,
      logIncarnation: found.logIncarnation + (keepsSeat ? 0 : 1),
      bootId,
    },
    isNew: false,
  };
}
