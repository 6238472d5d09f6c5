import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ModelWorld } from '../../testing/model-world.ts';
import {
  blankWorld,
  editInstance,
  editSetSpec,
  editStatus,
  joinedAfter,
  settledWorld,
  silence,
  tell,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { joinInstances } from './join-instances.ts';

const SET = 'employees-storage-1';
const ROUTER = 'employees-router-1-0';

/** The pods of a scale to four are there and blank, and nobody has joined them. */
function scaledWorld(): ModelWorld {
  const world = settledWorld();
  world.scale(SET, 4);
  for (let round = 0; round < 10 && !world.pods.has(`${SET}-3`); round++) world.reconcile(2);
  return world;
}

const scaled = scaledWorld().snapshot();

function aged(snapshot: ClusterSnapshot, ageMs: number): ClusterSnapshot {
  return [2, 3].reduce(
    (edited, ordinal) =>
      editInstance(edited, `${SET}-${ordinal}`, (instance) => ({
        ...instance,
        createdMs: snapshot.nowMs - ageMs,
      })),
    snapshot,
  );
}

describe('joinInstances, new ones', () => {
  const late = silence(scaled, `${SET}-3`, 'its pod is Pending');
  const cases: readonly {
    readonly name: string;
    readonly snapshot: ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    {
      name: 'has nothing to do when all have joined',
      snapshot: settledWorld().snapshot(),
      want: [],
    },
    {
      name: 'joins all that came up, in one change',
      snapshot: scaled,
      want: [
        `edit JoiningInstance: Instance ${SET}-2 joins.`,
        `edit JoiningInstance: Instance ${SET}-3 joins.`,
      ],
    },
    {
      name: 'waits a while for the others of the same scale',
      snapshot: aged(late, 29_000),
      want: [`wait WaitingForInstances: Instance ${SET}-3 is starting, to join.`],
    },
    {
      name: 'waits for them only so long',
      snapshot: aged(late, 30_000),
      want: [
        `edit JoiningInstance: Instance ${SET}-2 joins.`,
        `wait WaitingForInstances: Instance ${SET}-3 does not answer, to join.`,
      ],
    },
    {
      name: 'joins nobody that is on its way out',
      snapshot: editInstance(scaled, `${SET}-3`, (instance) => ({
        ...instance,
        terminating: true,
      })),
      want: [`edit JoiningInstance: Instance ${SET}-2 joins.`],
    },
    {
      name: 'joins nobody to a set with a role that the application does not have',
      snapshot: editSetSpec(scaled, SET, { roles: ['app.roles.storage', 'app.roles.gone'] }),
      want: [
        `refuse RoleUnknown: ReplicaSet ${SET} asks for role app.roles.gone, which its instances do not have; they have app.roles.api, app.roles.storage, failover-coordinator, vshard-router, vshard-storage.`,
      ],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(joinInstances(snapshot)), want));
  }

  it('begins a cluster with all instances and their replica sets', () => {
    const blank = blankWorld().snapshot();
    assert.deepEqual(
      joinedAfter(blank, joinInstances(blank)),
      blank.instances.map(({ podName }) => podName),
    );
  });

  it('does not take one in that the config has expelled under this very UUID', () => {
    const status = scaled.instances.find(({ podName }) => podName === `${SET}-2`)?.answer;
    assert.ok(status?.kind === 'status' && scaled.config !== undefined);
    const topology = scaled.config.sections['topology'] as { servers: Record<string, unknown> };
    const servers = { ...topology.servers, [status.status.uuid]: 'expelled' };
    const sections = { ...scaled.config.sections, topology: { ...topology, servers } as never };
    const known = { ...scaled, config: { ...scaled.config, sections } };
    assert.deepEqual(tell(joinInstances(known)), [
      `edit JoiningInstance: Instance ${SET}-3 joins.`,
    ]);
  });
});

describe('joinInstances, those that have lost their data', () => {
  function lost(pods: readonly string[], hasLeader = true): ClusterSnapshot {
    const world = settledWorld();
    for (const pod of pods) world.loseDisk(pod);
    const snapshot = world.snapshot();
    if (hasLeader) return snapshot;
    return snapshot.instances.reduce(
      (edited, { podName }) =>
        editStatus(edited, podName, (status) => ({
          ...status,
          replicaSet: status.replicaSet && { ...status.replicaSet, writable: false },
        })),
      snapshot,
    );
  }

  const replaced = (name: string): string =>
    `edit ReplacingInstance: Instance ${name} has lost its data: the old one is expelled and it joins anew.`;

  it('replaces one while another of its replica set is writable', () => {
    const snapshot = lost([`${SET}-1`]);
    const verdicts = joinInstances(snapshot);
    assert.deepEqual(tell(verdicts), [replaced(`${SET}-1`)]);
    assert.deepEqual(
      joinedAfter(snapshot, verdicts),
      snapshot.instances.map(({ podName }) => podName),
    );
  });

  it('replaces nobody while no other instance can have the rows, and says what to do', () => {
    assert.deepEqual(tell(joinInstances(lost([`${SET}-0`, `${SET}-1`], false))), [
      `complain InstanceLostData: ${SET}-0, ${SET}-1 of ReplicaSet ${SET} came back without data, and no other instance of it is writable: bring one back that has the rows; kubectl get pods -l tonearm.dev/replica-set=${SET} shows them.`,
    ]);
  });

  it('replaces a router at once: it has no rows to lose', () => {
    assert.deepEqual(tell(joinInstances(lost([ROUTER], false))), [replaced(ROUTER)]);
  });
});
