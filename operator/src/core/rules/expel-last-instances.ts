/**
 * Lowering `replicas`: the last instance gives up its seat, and only then its pod goes.
 *
 *     leads? ── yes ──▶ leadership handed over to another ──▶ expelled by a change ──▶ pod removed
 *       └────── no ───────────────────────────────────────────────▲
 *
 * One seat of a replica set at a time, and only while another instance of it is writable: the copies that stay must
 * hold every acknowledged row. Raising `replicas` again at any moment before the change calls it off, because each
 * round looks at the number anew.
 */
import { expelInstance } from '@tonearm/runtime/config';
import type { ReplicaSet } from '../../api/v1alpha1/replica-set.ts';
import { editTopology } from '../config-draft.ts';
import { replicaSetUuidOf } from '../identity.ts';
import { isPresent, type Seat, seatsOf } from '../seats.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { ownsBuckets, writableLeader } from '../topology.ts';
import type { Verdict } from '../verdict.ts';
import { act, wait } from '../verdict.ts';
import { isLeaving, memberSets } from '../wanted-sets.ts';

export function expelLastInstances(snapshot: ClusterSnapshot): readonly Verdict[] {
  if (snapshot.config === undefined) return [];
  return memberSets(snapshot)
    .filter((replicaSet) => !isLeaving(snapshot, replicaSet))
    .flatMap((replicaSet) => expelLast(snapshot, replicaSet));
}

function expelLast(snapshot: ClusterSnapshot, replicaSet: ReplicaSet): readonly Verdict[] {
  const seats = seatsOf(snapshot, replicaSet).filter(({ server }) => server !== undefined);
  const last = seats.at(-1);
  if (last?.server === undefined || last.wanted) return [];
  const { uuid } = last.server;
  const replicaSetUuid = replicaSetUuidOf(snapshot, replicaSet);
  const staying = seats.slice(0, -1);
  if (staying.length === 0 && ownsBuckets(snapshot, replicaSetUuid)) {
    return [
      {
        kind: 'refuse',
        reason: 'OwnsBuckets',
        message: `ReplicaSet ${replicaSet.metadata.name} owns buckets, and they cannot be moved yet: kubectl scale trs/${replicaSet.metadata.name} --replicas=1 keeps its last instance.`,
      },
    ];
  }
  const absent = staying.find((seat) => !isPresent(seat));
  if (absent !== undefined) {
    const message = `Instance ${last.name} is expelled when ${absent.name}, which stays, answers.`;
    return [wait('WaitingForInstances', message)];
  }
  const obstacle = staying.length === 0 ? undefined : giveUpLeadership(snapshot, staying, last);
  if (obstacle !== undefined) return [obstacle];
  return [
    {
      kind: 'edit',
      edit: editTopology((topology) => expelInstance(topology, uuid)),
      reason: 'ExpellingInstance',
      message: `Instance ${last.name} is expelled.`,
    },
  ];
}

/** Nothing when another instance leads already. */
function giveUpLeadership(
  snapshot: ClusterSnapshot,
  staying: readonly Seat[],
  last: Seat,
): Verdict | undefined {
  const replicaSetUuid = last.server?.replicaset_uuid ?? '';
  const leader = writableLeader(snapshot, replicaSetUuid);
  if (leader === undefined) {
    return wait(
      'WaitingForLeader',
      `Instance ${last.name} is expelled when its replica set has a leader again.`,
    );
  }
  if (leader.podName !== last.name) return undefined;
  // Without failover the config itself says who leads: expelling the leader makes the next one the leader.
  if (snapshot.cluster.spec.failover.mode === 'Disabled') return undefined;
  const inSync = last.status?.replicaSet?.inSync ?? [];
  const successor = staying.find(
    (seat) => isPresent(seat) && inSync.includes(seat.server?.uuid ?? ''),
  );
  if (successor?.server === undefined) {
    return wait(
      'WaitingForSuccessor',
      `Instance ${last.name} leads, and no other instance of its replica set is in sync to take over.`,
    );
  }
  return act(
    [
      {
        kind: 'promote',
        address: leader.address,
        replicaSetUuid,
        to: successor.server.uuid,
      },
    ],
    'HandingOver',
    `Instance ${last.name} hands leadership over to ${successor.name} before it is expelled.`,
  );
}
