import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '@tonearm/runtime/contract';
import {
  editInstance,
  editSet,
  editSetSpec,
  editStatus,
  settledWorld,
  silence,
  tell,
  topologyAfter,
} from '../../testing/snapshots.ts';
import { toJson } from '../config-draft.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { keepSetConfig } from './keep-set-config.ts';

const SET = 'employees-storage-1';
const POD = `${SET}-0`;
const settled = settledWorld().snapshot();

/** The pod runs on a node, which tells its zone. */
function placed(snapshot: ClusterSnapshot, zone?: string): ClusterSnapshot {
  const seen = editInstance(snapshot, POD, (instance) => ({ ...instance, node: 'worker-1' }));
  return zone === undefined ? seen : { ...seen, nodeZones: new Map([['worker-1', zone]]) };
}

/** The config has these labels for every instance. */
function labelled(
  snapshot: ClusterSnapshot,
  labels: Readonly<Record<string, string>>,
): ClusterSnapshot {
  const { config } = snapshot;
  assert.ok(config !== undefined);
  const topology = topologyAfter(snapshot, []);
  const servers = Object.entries(topology.servers).map(([uuid, server]) => [
    uuid,
    server === 'expelled' ? server : { ...server, labels },
  ]);
  const section = toJson({ ...topology, servers: Object.fromEntries(servers) as Json });
  return {
    ...snapshot,
    config: { ...config, sections: { ...config.sections, topology: section } },
  };
}

function serverAfter(snapshot: ClusterSnapshot): unknown {
  const { servers } = topologyAfter(snapshot, keepSetConfig(snapshot));
  const server = Object.values(servers).find((one) => one !== 'expelled' && one.alias === POD);
  assert.ok(server !== undefined && server !== 'expelled');
  return { zone: server.zone, labels: server.labels };
}

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
    {
      name: 'notes on which node an instance runs',
      snapshot: placed(settled),
      want: [`edit ChangingInstance: Instance ${POD} is found at ${POD}:8081 on node worker-1.`],
    },
  ];

  for (const { name, snapshot, want } of cases) {
    it(name, () => assert.deepEqual(tell(keepSetConfig(snapshot)), want));
  }

  it('believes the zone of the node before that of the set, and keeps labels of others', () => {
    const labels = { node: 'worker-1' };
    const north = editSetSpec(settled, SET, { zone: 'north' });
    assert.deepEqual(serverAfter(placed(north)), { zone: 'north', labels });
    assert.deepEqual(serverAfter(placed(north, 'south')), { zone: 'south', labels });
    assert.deepEqual(serverAfter(placed(labelled(settled, { rack: 'r1', node: 'old' }))), {
      zone: undefined,
      labels: { rack: 'r1', node: 'worker-1' },
    });
    const known = placed(labelled(settled, labels));
    assert.deepEqual(keepSetConfig(silence(known, `${SET}-1`)), []);
  });

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
