/**
 * A ReplicaSet goes when its template counts fewer, or when a user has deleted it: its instances are expelled together,
 * and only then the object goes, and with it the pods. One that owns buckets stays: buckets cannot be moved yet, and
 * its rows would be lost.
 */
import { expelInstance } from '@tonearm/runtime/config';
import { FINALIZER } from '../../api/names.ts';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { editTopology } from '../config-draft.ts';
import { replicaSetUuidOf } from '../identity.ts';
import { isBootstrapped } from '../progress.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { isSettled, ownsBuckets, readTopology, serversIn } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

export function removeReplicaSets(snapshot: ClusterSnapshot): readonly Verdict[] {
  return memberSets(snapshot)
    .filter((replicaSet) => isLeaving(snapshot, replicaSet))
    .map((replicaSet) => removeReplicaSet(snapshot, replicaSet));
}

function removeReplicaSet(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): Verdict {
  const { name } = replicaSet.metadata;
  const uuid = replicaSetUuidOf(snapshot, replicaSet);
  if (snapshot.config === undefined && isBootstrapped(snapshot)) {
    return wait(
      'ConfigUnknown',
      `ReplicaSet ${name} is removed when an instance tells the config.`,
    );
  }
  const servers = serversIn(readTopology(snapshot.config), uuid);
  if (ownsBuckets(snapshot, uuid)) return refuse(replicaSet);
  if (servers.length > 0) {
    return {
      kind: 'edit',
      edit: editTopology(
        ...servers.map(
          (server) => (topology: Parameters<typeof expelInstance>[0]) =>
            expelInstance(topology, server.uuid),
        ),
      ),
      reason: 'ExpellingReplicaSet',
      message: `The ${servers.length} instances of ReplicaSet ${name} are expelled.`,
    };
  }
  if (snapshot.config !== undefined && !isSettled(snapshot)) {
    return wait(
      'ConfigNotSettled',
      `ReplicaSet ${name} goes when all instances know that it is expelled.`,
    );
  }
  return letGo(replicaSet);
}

function refuse({ metadata: { name, deletionTimestamp } }: ReplicaSet): Verdict {
  const next =
    deletionTimestamp === undefined
      ? 'set the count of its template back'
      : 'the deletion cannot be taken back, and it serves until buckets can move';
  return {
    kind: 'refuse',
    reason: 'OwnsBuckets',
    message: `ReplicaSet ${name} owns buckets, and they cannot be moved yet, so it is not removed: ${next}.`,
  };
}

function letGo({ metadata }: ReplicaSet): Verdict {
  const { name, uid = '', deletionTimestamp, finalizers = [] } = metadata;
  const message = `ReplicaSet ${name} owns nothing any more and is removed.`;
  if (deletionTimestamp === undefined) {
    return act([{ kind: 'delete-replica-set', name, uid }], 'RemovingReplicaSet', message);
  }
  if (!finalizers.includes(FINALIZER)) {
    return wait('RemovingReplicaSet', `ReplicaSet ${name} is being removed.`);
  }
  return act([{ kind: 'drop-finalizer', name }], 'RemovingReplicaSet', message);
}
