import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FailoverOverview, failoverOverviewSchema } from '@tonearm/runtime/contract';
import { CommandError } from '../command-error.ts';
import { pickCluster } from './admin-target.ts';
import { type PromotionNames, planPromotion } from './failover-promotion.ts';
import { renderOverview } from './failover-table.ts';

const uuid = (end: string): string => `00000000-0000-4000-8000-00000000${end}`;
const [ONE, TWO] = [uuid('0100'), uuid('0200')];

function member(set: number, index: number, state: string | null = 'RolesConfigured') {
  return {
    ...{ uuid: uuid(`0${set}0${index + 1}`), name: `storage-${set}-${index}` },
    ...{ isDisabled: false, isElectable: true, state, isInSync: state !== null },
  };
}

/** Two replica sets of two; one instance of the second does not answer. */
const overview: FailoverOverview = failoverOverviewSchema.parse({
  ...{ mode: 'stateful', stateProvider: 'etcd', coordinator: 'storage-1-0', pausedOn: [] },
  replicaSets: [
    {
      ...{ uuid: ONE, name: 'storage-1', leader: { uuid: uuid('0101'), name: 'storage-1-0' } },
      ...{ term: 3, state: 'writable', isSuppressed: false },
      members: [member(1, 0), member(1, 1)],
    },
    {
      ...{ uuid: TWO, name: 'storage-2', leader: null, term: 0, state: 'none', isSuppressed: true },
      members: [member(2, 0), member(2, 1, null)],
    },
  ],
  issues: [{ instance: 'storage-1-0', level: 'warning', topic: 'failover', message: 'Look.' }],
});

function plan(names: Partial<PromotionNames>): unknown {
  return planPromotion(overview, { instances: [], replicaSets: [], stopped: [], ...names });
}

const plain = { bold: (text: string) => text };

describe('renderOverview', () => {
  it('shows who leads, and below that what is not as it should be', () => {
    assert.deepEqual(renderOverview(overview, plain), [
      'Mode          stateful, by etcd',
      'Coordinator   storage-1-0',
      '',
      'REPLICA SET   LEADER        TERM   STATE       IN SYNC',
      'storage-1     storage-1-0   3      writable    2/2',
      'storage-2     -             0      no leader   1/2',
      '',
      'Replica sets',
      '  storage-2: storage-2-1 does not answer',
      '  storage-2: left alone for a while, because its leader changed too often',
      '',
      'Issues',
      '  storage-1-0: warning: Look.',
    ]);
  });

  it('says once what several instances say', () => {
    const [look] = overview.issues;
    assert.ok(look !== undefined);
    const issues = ['a', 'b', 'c'].map((instance) => ({ ...look, instance }));
    const worse = { ...look, level: 'critical' as const };
    assert.deepEqual(renderOverview({ ...overview, issues: [...issues, worse] }, plain).slice(-2), [
      '  3 instances: warning: Look.',
      '  storage-1-0: critical: Look.',
    ]);
  });

  it('says where failover is paused, and that nobody coordinates', () => {
    const paused = { ...overview, coordinator: null, pausedOn: ['storage-1-0'], issues: [] };
    assert.deepEqual(renderOverview({ ...paused, replicaSets: [] }, plain).slice(0, 3), [
      'Mode          stateful, by etcd',
      'Coordinator   none is active: lost leaders are not replaced',
      'Paused        on storage-1-0: "tonearm failover resume" ends that',
    ]);
    const all = overview.replicaSets.flatMap(({ members }) => members.map(({ name }) => name));
    assert.equal(
      renderOverview({ ...overview, pausedOn: all }, plain)[2],
      'Paused        on all 4 instances: "tonearm failover resume" ends that',
    );
  });
});

describe('planPromotion', () => {
  it('takes names and UUIDs, and any fit member where none is named', () => {
    const to = uuid('0102');
    const none = { stopped: [], stoppedNames: [] };
    const leaders = [{ replicaSetUuid: ONE, to }];
    assert.deepEqual(plan({ instances: ['storage-1-1'] }), { leaders, ...none });
    assert.deepEqual(plan({ instances: [to], replicaSets: ['storage-1'] }), { leaders, ...none });
    assert.deepEqual(plan({ instances: [to], replicaSets: ['storage-1', TWO] }), {
      leaders: [...leaders, { replicaSetUuid: TWO }],
      ...none,
    });
    assert.deepEqual(plan({ instances: [to], stopped: ['storage-1-0'] }), {
      ...{ leaders, stopped: [uuid('0101')], stoppedNames: ['storage-1-0'] },
    });
  });

  for (const [why, names, message] of [
    ['nobody', {}, /^name the instances/],
    ['an unknown instance', { instances: ['storage-9'] }, /no instance "storage-9" .*storage-2-1$/],
    ['an unknown set', { replicaSets: ['router'] }, /no replica set "router" .*storage-1, /],
    ['two leaders', { instances: ['storage-1-0', 'storage-1-1'] }, /two instances of .*storage-1 /],
    [
      'a stranger',
      { instances: ['storage-1-0'], replicaSets: ['storage-2'] },
      /storage-1-0 is in replica set storage-1, which is not named/,
    ],
  ] as const) {
    it(`refuses ${why}, as wrong usage`, () => {
      assert.throws(
        () => plan(names),
        (error) =>
          error instanceof CommandError && error.exitCode === 2 && message.test(error.message),
      );
    });
  }
});

describe('pickCluster', () => {
  const known = [
    { namespace: 'default', cluster: 'shop' },
    { namespace: 'test', cluster: 'shop' },
    { namespace: 'test', cluster: 'employees' },
  ];

  it('takes the only one, or the one that is named', () => {
    assert.deepEqual(pickCluster(known.slice(0, 1), undefined), known[0]);
    assert.deepEqual(pickCluster(known, 'employees'), known[2]);
    assert.deepEqual(pickCluster(known, 'test/shop'), known[1]);
  });

  it('lists those that there are otherwise', () => {
    const list = /default\/shop, test\/shop, test\/employees/;
    for (const wanted of [undefined, 'shop', 'other']) {
      assert.throws(() => pickCluster(known, wanted), list);
    }
    assert.throws(() => pickCluster([], undefined), /no cluster has instances here yet/);
  });
});
