import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCluster } from '../../testing/cluster-objects.ts';
import {
  editSet,
  editSetSpec,
  editStatus,
  joinedAfter,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { expelLastInstances } from './expel-last-instances.ts';

const SET = 'employees-storage-1';
const FIRST = `${SET}-0`;
const LAST = `${SET}-1`;
const ROUTER = 'employees-router-1';

const settled = settledWorld().snapshot();
const lowered = editSetSpec(settled, SET, { replicas: 1 });

function uuidOf(podName: string): string {
  const found = settled.instances.find((instance) => instance.podName === podName);
  return found?.answer.kind === 'status' ? found.answer.status.uuid : assert.fail(podName);
}

/** Who leads, by what the instances of the set say; nobody when left out. */
function led(snapshot: ClusterSnapshot, by: string | undefined, inSync = [FIRST, LAST]) {
  return [FIRST, LAST].reduce(
    (edited, podName) =>
      editStatus(edited, podName, (status) => ({
        ...status,
        replicaSet:
          status.replicaSet === null
            ? null
            : { ...status.replicaSet, writable: podName === by, inSync: inSync.map(uuidOf) },
      })),
    snapshot,
  );
}

describe('expelLastInstances', () => {
  const cases: readonly {
    readonly name: string;
    readonly snapshot: ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    { name: 'expels nobody while all seats are wanted', snapshot: settled, want: [] },
    {
      name: 'expels nobody before there is a config',
      snapshot: { ...lowered, config: undefined },
      want: [],
    },
    {
      name: 'leaves a set that goes as a whole to the rule for that',
      snapshot: editSet(lowered, SET, (set) => ({
        ...set,
        metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      })),
      want: [],
    },
    {
      name: 'expels the last instance while another one leads',
      snapshot: led(lowered, FIRST),
      want: [`edit ExpellingInstance: Instance ${LAST} is expelled.`],
    },
    {
      name: 'waits for those that stay to answer',
      snapshot: silence(led(lowered, LAST), FIRST),
      want: [
        `wait WaitingForInstances: Instance ${LAST} is expelled when ${FIRST}, which stays, answers.`,
      ],
    },
    {
      name: 'waits while nobody leads',
      snapshot: led(lowered, undefined),
      want: [
        `wait WaitingForLeader: Instance ${LAST} is expelled when its replica set has a leader again.`,
      ],
    },
    {
      name: 'waits while nobody could take over from it',
      snapshot: led(lowered, LAST, [LAST]),
      want: [
        `wait WaitingForSuccessor: Instance ${LAST} leads, and no other instance of its replica set is in sync to take over.`,
      ],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(expelLastInstances(snapshot)), want));
  }

  it('takes one seat of a set at a time, the last', () => {
    const verdicts = expelLastInstances(editSetSpec(settled, SET, { replicas: 0 }));
    const joined = joinedAfter(settled, verdicts);
    assert.deepEqual(
      joined.filter((name) => name.startsWith(SET)),
      [FIRST],
    );
  });

  it('has the leader hand over first, to one that is in sync', () => {
    const verdicts = expelLastInstances(led(lowered, LAST));
    const [first] = verdicts;
    assert.deepEqual(first?.kind === 'act' ? first.actions : [], [
      {
        kind: 'promote',
        address: `${LAST}:8081`,
        replicaSetUuid: settled.replicaSets.find(({ metadata }) => metadata.name === SET)?.status
          ?.uuid,
        to: uuidOf(FIRST),
      },
    ]);
    assert.deepEqual(tell(verdicts), [
      `act HandingOver: Instance ${LAST} hands leadership over to ${FIRST} before it is expelled.`,
    ]);
  });

  it('expels a leader at once where the config itself says who leads', () => {
    const world = settledWorld(buildCluster({ failover: { mode: 'Disabled' } }));
    const snapshot = editSetSpec(world.snapshot(), SET, { replicas: 1 });
    const leading = editStatus(snapshot, LAST, (status) => ({
      ...status,
      replicaSet: status.replicaSet === null ? null : { ...status.replicaSet, writable: true },
    }));
    const only = editStatus(leading, FIRST, (status) => ({
      ...status,
      replicaSet: status.replicaSet === null ? null : { ...status.replicaSet, writable: false },
    }));
    assert.deepEqual(tell(expelLastInstances(only)), [
      `edit ExpellingInstance: Instance ${LAST} is expelled.`,
    ]);
  });

  it('gives the only instance of a router up, and refuses that of a storage', () => {
    assert.deepEqual(tell(expelLastInstances(editSetSpec(settled, ROUTER, { replicas: 0 }))), [
      `edit ExpellingInstance: Instance ${ROUTER}-0 is expelled.`,
    ]);
    const world = settledWorld();
    world.scale(SET, 1);
    for (let round = 0; round < 10; round++) world.reconcile();
    const single = editSetSpec(world.snapshot(), SET, { replicas: 0 });
    assert.deepEqual(tell(expelLastInstances(single)), [
      `refuse OwnsBuckets: ReplicaSet ${SET} owns buckets, and they cannot be moved yet: kubectl scale trs/${SET} --replicas=1 keeps its last instance.`,
    ]);
  });
});
