/** Roles and weight of replica sets, places and addresses of their instances, as the objects and the pods say. */
import { editInstance, editReplicaSet, sameJson } from '@tonearm/runtime/config';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { editTopology, toJson } from '../config-draft.ts';
import { replicaSetUuidOf } from '../identity.ts';
import { placeOf } from '../place.ts';
import { storesBuckets, unknownRoles } from '../roles.ts';
import { isPresent, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { readTopology } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

export function keepSetConfig(snapshot: ClusterSnapshot): readonly Verdict[] {
  if (snapshot.config === undefined) return [];
  return memberSets(snapshot)
    .filter((replicaSet) => !isLeaving(snapshot, replicaSet))
    .flatMap((replicaSet) => [
      ...keepSet(snapshot, replicaSet),
      ...seatsOf(snapshot, replicaSet)
        .filter(isPresent)
        .flatMap((seat) => keepInstance(snapshot, replicaSet, seat)),
    ]);
}

function keepSet(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Verdict[] {
  const uuid = replicaSetUuidOf(snapshot, replicaSet);
  const present = readTopology(snapshot.config).replicasets[uuid];
  const { roles, weight } = replicaSet.spec;
  const known = snapshot.roles;
  if (present === undefined || known === undefined) return [];
  // Refused where instances join; a role that is enabled already may be gone from this build of the application.
  if (unknownRoles(roles, known).some((role) => !present.roles.includes(role))) return [];
  const wanted = { roles, weight: storesBuckets(roles, known) ? weight : 0 };
  if (sameJson(toJson({ roles: present.roles, weight: present.weight }), toJson(wanted))) return [];
  return [
    {
      kind: 'edit',
      edit: editTopology((topology) => editReplicaSet(topology, uuid, wanted)),
      reason: 'ChangingReplicaSet',
      message: `ReplicaSet ${replicaSet.metadata.name} gets roles ${roles.join(', ')} and weight ${wanted.weight}.`,
    },
  ];
}

/** Pods keep their names, but not everywhere their ports. */
function keepInstance(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
  seat: Seat,
): readonly Verdict[] {
  const { name, server, status } = seat;
  if (server === undefined || status === undefined) return [];
  const place = placeOf(snapshot, replicaSet, seat);
  const wanted = { uri: status.uri, http_uri: status.httpUri, ...place };
  const { uri, http_uri, zone = '', labels } = server;
  if (sameJson(toJson({ uri, http_uri, zone, labels }), toJson(wanted))) return [];
  const { node } = place.labels;
  const where = node === undefined ? '' : ` on node ${node}`;
  return [
    {
      kind: 'edit',
      edit: editTopology((topology) => editInstance(topology, server.uuid, wanted)),
      reason: 'ChangingInstance',
      message: `Instance ${name} is found at ${status.httpUri}${where}.`,
    },
  ];
}
