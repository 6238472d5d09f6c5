import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  editSet,
  editSetSpec,
  editStatus,
  settledWorld,
  silence,
  tell,
  topologyAfter,
} from '../../testing/snapshots.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { keepSetConfig } from './keep-set-config.ts';

const SET = 'employees-storage-1';
const POD = `${SET}-0`;
const settled = settledWorld().snapshot();

function moved(snapshot: ClusterSnapshot): ClusterSnapshot {
  return editStatus(snapshot, POD, (status) => ({
    ...status,
    uri: `${POD}:1`,
    httpUri: `${POD}:2`,
  }));
}

describe('keepSetConfig', () => {
  const cases: readonly {
    readonly name: string;
    readonly snapshot: ClusterSnapshot;
    readonly want: readonly string[];
  }[] = [
    { name: 'changes nothing that is as it should be', snapshot: settled, want: [] },
    {
      name: 'changes nothing before there is a config',
      snapshot: { ...editSetSpec(settled, SET, { weight: 5 }), config: undefined },
      want: [],
    },
    {
      name: 'changes the weight',
      snapshot: editSetSpec(settled, SET, { weight: 5 }),
      want: [
        `edit ChangingReplicaSet: ReplicaSet ${SET} gets roles app.roles.storage and weight 5.`,
      ],
    },
    {
      name: 'gives no weight to a set without buckets',
      snapshot: editSetSpec(settled, 'employees-router-1', { weight: 5 }),
      want: [],
    },
    {
      name: 'changes the roles',
      snapshot: editSetSpec(settled, SET, { roles: ['app.roles.storage', 'app.roles.api'] }),
      want: [
        `edit ChangingReplicaSet: ReplicaSet ${SET} gets roles app.roles.storage, app.roles.api and weight 1.`,
      ],
    },
    {
      name: 'enables no role that the application does not have',
      snapshot: editSetSpec(settled, SET, { roles: ['app.roles.gone'] }),
      want: [],
    },
    {
      name: 'changes no role while nobody has told which there are',
      snapshot: { ...editSetSpec(settled, SET, { weight: 5 }), roles: undefined },
      want: [],
    },
    {
      name: 'leaves a set that goes as it is',
      snapshot: editSet(editSetSpec(settled, SET, { weight: 5 }), SET, (set) => ({
        ...set,
        metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      })),
      want: [],
    },
    {
      name: 'notes where an instance is found now',
      snapshot: moved(settled),
      want: [`edit ChangingInstance: Instance ${POD} is found at ${POD}:2.`],
    },
    {
      name: 'notes the zone of every instance that answers',
      snapshot: silence(editSetSpec(settled, SET, { zone: 'north' }), `${SET}-1`),
      want: [`edit ChangingInstance: Instance ${POD} is found at ${POD}:8081.`],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(keepSetConfig(snapshot)), want));
  }

  it('writes exactly what has changed', () => {
    const snapshot = moved(editSetSpec(settled, SET, { weight: 5, zone: 'north' }));
    const before = topologyAfter(settled, []);
    const after = topologyAfter(snapshot, keepSetConfig(snapshot));
    const sets = Object.entries(before.replicasets).map(([uuid, set]): [string, typeof set] => [
      uuid,
      set.alias === SET ? { ...set, weight: 5 } : set,
    ]);
    const servers = Object.entries(before.servers).map(
      ([uuid, server]): [string, typeof server] => {
        if (server === 'expelled' || !server.alias.startsWith(SET)) return [uuid, server];
        const address = server.alias === POD ? { uri: `${POD}:1`, http_uri: `${POD}:2` } : {};
        return [uuid, { ...server, ...address, zone: 'north' }];
      },
    );
    assert.deepEqual(after, {
      ...before,
      replicasets: Object.fromEntries(sets),
      servers: Object.fromEntries(servers),
    });
  });
});
