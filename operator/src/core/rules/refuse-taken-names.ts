/**
 * An object that the operator did not make is never adopted, however well it would fit: it may be somebody's data.
 * Objects of an earlier cluster of the same name are waited for until they are gone.
 */
import type { KubeObject } from '../../api/kube-object.ts';
import { buildServices } from '../resources/build-services.ts';
import { etcdName } from '../resources/names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { wantedProvider } from '../state-provider.ts';
import type { Verdict } from '../verdict.ts';
import { wait } from '../verdict.ts';
import { type Claim, claimOf, memberSets, statefulSetOf, wantedTemplated } from '../wanted-sets.ts';

interface Candidate {
  readonly kind: string;
  readonly name: string;
  readonly claim: Claim;
}

export function refuseTakenNames(snapshot: ClusterSnapshot): readonly Verdict[] {
  const candidates = [
    ...serviceCandidates(snapshot),
    ...etcdCandidates(snapshot),
    ...replicaSetCandidates(snapshot),
    ...statefulSetCandidates(snapshot),
  ];
  const taken = candidates.find(({ claim }) => claim === 'foreign');
  if (taken !== undefined) {
    return [
      {
        kind: 'stop',
        refused: true,
        reason: 'NameTaken',
        message: `${taken.kind} ${taken.name} exists and was not made by this cluster: delete or rename it, or rename the cluster or the template.`,
      },
    ];
  }
  const leaving = candidates.find(({ claim }) => claim === 'leaving');
  if (leaving === undefined) return [];
  const message = `${leaving.kind} ${leaving.name} of an earlier cluster is being removed.`;
  return [
    wait('OldObjectsLeaving', message),
    { kind: 'stop', refused: false, reason: 'OldObjectsLeaving', message },
  ];
}

function serviceCandidates(snapshot: ClusterSnapshot): readonly Candidate[] {
  return buildServices(snapshot.cluster).map(({ metadata: { name } }) =>
    candidate(snapshot, snapshot.services, { kind: 'Service', name, owner: snapshot.cluster }),
  );
}

function etcdCandidates(snapshot: ClusterSnapshot): readonly Candidate[] {
  const provider = wantedProvider(snapshot);
  if (provider.kind !== 'usable' || provider.managedReplicas === undefined) return [];
  const name = etcdName(snapshot.cluster.metadata.name);
  const owner = snapshot.cluster;
  return [
    candidate(snapshot, snapshot.services, { kind: 'Service', name, owner }),
    candidate(snapshot, snapshot.statefulSets, { kind: 'StatefulSet', name, owner }),
  ];
}

/** A ReplicaSet that a user has deleted keeps its name until it is drained; that is no reason to stop. */
function replicaSetCandidates(snapshot: ClusterSnapshot): readonly Candidate[] {
  const members = memberSets(snapshot);
  return wantedTemplated(snapshot)
    .filter(({ name }) => !members.some((set) => isDeletedByUser(set, name)))
    .map(({ name }) =>
      candidate(snapshot, snapshot.replicaSets, {
        kind: 'ReplicaSet',
        name,
        owner: snapshot.cluster,
      }),
    );
}

function isDeletedByUser(replicaSet: KubeObject, name: string): boolean {
  return replicaSet.metadata.name === name && replicaSet.metadata.deletionTimestamp !== undefined;
}

function statefulSetCandidates(snapshot: ClusterSnapshot): readonly Candidate[] {
  const cluster = snapshot.cluster.metadata.name;
  return memberSets(snapshot)
    .filter((replicaSet) => replicaSet.metadata.deletionTimestamp === undefined)
    .map((replicaSet) => ({
      kind: 'StatefulSet',
      name: replicaSet.metadata.name,
      claim: claimOf(statefulSetOf(snapshot, replicaSet), cluster, replicaSet),
    }));
}

function candidate(
  snapshot: ClusterSnapshot,
  objects: readonly KubeObject[],
  wanted: { readonly kind: string; readonly name: string; readonly owner: KubeObject },
): Candidate {
  const found = objects.find((object) => object.metadata.name === wanted.name);
  const claim = claimOf(found, snapshot.cluster.metadata.name, wanted.owner);
  return { kind: wanted.kind, name: wanted.name, claim };
}
