/**
 * Blank instances behind wanted names join: new ones, and those that have lost their data.
 *
 * A blank instance under a known name is never given the old UUID: the others believe that UUID to hold rows. In one
 * change the old one is expelled and the new one joins. Where a replica set owns buckets, that is done for one seat at
 * a time, and only while another of its instances is writable, because nobody else could have the rows.
 */
import {
  addReplicaSet,
  expelInstance,
  joinInstance,
  type TopologyEdit,
} from '@tonearm/runtime/config';
import type { Topology } from '@tonearm/runtime/contract';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { editTopology } from '../config-draft.ts';
import { replicaSetUuidOf } from '../identity.ts';
import { placeOf } from '../place.ts';
import { storesBuckets, unknownRoles } from '../roles.ts';
import { isBlank, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { ownsBuckets, readTopology, writableLeader } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { wait } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

/** Pods of one scale come up one after the other; those that come within this time join together. */
const GATHER_MS = 30_000;

export function joinInstances(snapshot: ClusterSnapshot): readonly Verdict[] {
  return memberSets(snapshot)
    .filter((replicaSet) => !isLeaving(snapshot, replicaSet))
    .flatMap((replicaSet) => joinTo(snapshot, replicaSet));
}

function joinTo(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Verdict[] {
  const seats = seatsOf(snapshot, replicaSet).filter(({ wanted }) => wanted);
  const unknown = unknownRoles(replicaSet.spec.roles, snapshot.roles);
  if (unknown.length > 0) {
    return [
      {
        kind: 'refuse',
        reason: 'RoleUnknown',
        message: `ReplicaSet ${replicaSet.metadata.name} asks for role ${unknown.join(', ')}, which its instances do not have; they have ${(snapshot.roles ?? []).map(({ name }) => name).join(', ')}.`,
      },
    ];
  }
  const late = seats.filter((seat) => seat.server === undefined && !isBlank(seat));
  const newcomers = seats.filter((seat) => seat.server === undefined && mayJoin(snapshot, seat));
  const [starting] = late;
  if (starting !== undefined && newcomers.some((seat) => isYoung(snapshot, seat))) {
    return [wait('WaitingForInstances', `Instance ${starting.name} is starting, to join.`)];
  }
  const blank = seats.filter((seat) => seat.server !== undefined && mayJoin(snapshot, seat));
  const replaced = replaceable(snapshot, replicaSet, blank);
  return [
    ...[...newcomers, ...replaced].map((seat) => joinSeat(snapshot, replicaSet, seat)),
    ...complainOfLost(replicaSet, blank, replaced),
    ...late
      .filter((seat) => seat.status === undefined)
      .map(({ name }) => wait('WaitingForInstances', `Instance ${name} does not answer, to join.`)),
  ];
}

/** Those that came up first wait for the others only so long. */
function isYoung(snapshot: ClusterSnapshot, { instance }: Seat): boolean {
  return instance !== undefined && snapshot.nowMs - instance.createdMs < GATHER_MS;
}

function mayJoin(snapshot: ClusterSnapshot, seat: Seat): boolean {
  const { instance, status } = seat;
  if (instance === undefined || instance.terminating || status === undefined) return false;
  return isBlank(seat) && readTopology(snapshot.config).servers[status.uuid] === undefined;
}

function replaceable(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
  blank: readonly Seat[],
): readonly Seat[] {
  const uuid = replicaSetUuidOf(snapshot, replicaSet);
  if (!ownsBuckets(snapshot, uuid)) return blank;
  return writableLeader(snapshot, uuid) === undefined ? [] : blank.slice(0, 1);
}

function complainOfLost(
  replicaSet: ReplicaSet,
  blank: readonly Seat[],
  replaced: readonly Seat[],
): readonly Verdict[] {
  const stuck = blank.filter((seat) => !replaced.includes(seat));
  if (stuck.length === 0 || replaced.length > 0) return [];
  const names = stuck.map(({ name }) => name).join(', ');
  return [
    {
      kind: 'complain',
      reason: 'InstanceLostData',
      message: `${names} of ReplicaSet ${replicaSet.metadata.name} came back without data, and no other instance of it is writable: bring one back that has the rows; kubectl get pods -l tonearm.dev/replica-set=${replicaSet.metadata.name} shows them.`,
    },
  ];
}

function joinSeat(snapshot: ClusterSnapshot, replicaSet: ReplicaSet, seat: Seat): Verdict {
  const edits = editsOf(snapshot, replicaSet, seat);
  const replaces = seat.server !== undefined;
  return {
    kind: 'edit',
    edit: editTopology(...edits),
    reason: replaces ? 'ReplacingInstance' : 'JoiningInstance',
    message: replaces
      ? `Instance ${seat.name} has lost its data: the old one is expelled and it joins anew.`
      : `Instance ${seat.name} joins.`,
  };
}

function editsOf(
  snapshot: ClusterSnapshot,
  replicaSet: ReplicaSet,
  seat: Seat,
): readonly ((topology: Topology) => TopologyEdit)[] {
  const { name, server, status } = seat;
  if (status === undefined) return [];
  const replicaSetUuid = replicaSetUuidOf(snapshot, replicaSet);
  const { roles, weight } = replicaSet.spec;
  const { zone, labels } = placeOf(snapshot, replicaSet, seat);
  const stores = storesBuckets(roles, snapshot.roles ?? []);
  const join = (topology: Topology): TopologyEdit =>
    joinInstance(topology, {
      uuid: status.uuid,
      alias: name,
      uri: status.uri,
      httpUri: status.httpUri,
      replicaSetUuid,
      labels,
      ...(zone === '' ? {} : { zone }),
    });
  const add = (topology: Topology): TopologyEdit =>
    addReplicaSet(topology, {
      uuid: replicaSetUuid,
      alias: replicaSet.metadata.name,
      roles,
      weight: stores ? weight : 0,
    });
  if (server === undefined) return [add, join];
  // The old one goes last: a replica set without instances would go with it.
  return [join, (topology) => expelInstance(topology, server.uuid)];
}
