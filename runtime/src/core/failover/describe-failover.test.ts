import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topology, topologySchema } from '../../contract/cluster-config.ts';
import { type InstanceStatus, instanceStatusSchema } from '../../contract/instance-status.ts';
import { describeFailover } from './describe-failover.ts';

const SET = '00000000-0000-4000-8000-0000000000aa';
const [A, B, C] = ['a', 'b', 'c'].map((end) => `00000000-0000-4000-8000-00000000000${end}`) as [
  string,
  string,
  string,
];

/** Three instances named `i-a`, `i-b`, `i-c`; the last one disabled. */
const topology: Topology = topologySchema.parse({
  servers: Object.fromEntries(
    [A, B, C].map((uuid) => [
      uuid,
      {
        ...{ uri: `${uuid}:1`, http_uri: `${uuid}:2`, alias: `i-${uuid.slice(-1)}` },
        ...{ replicaset_uuid: SET, disabled: uuid === C },
      },
    ]),
  ) as unknown,
  replicasets: { [SET]: { alias: 'set', roles: [], failover_priority: [A, B, C] } },
  failover: {
    mode: 'stateful',
    state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/' },
  },
});

interface Said {
  readonly leader?: string | null;
  readonly term?: number;
  readonly writable?: boolean;
  readonly peerLeases?: boolean;
}

function saidBy(
  uuid: string,
  { leader = A, term = 3, ...flags }: Said,
  more: Partial<InstanceStatus> = {},
): readonly [string, InstanceStatus] {
  const position = { term: 1, sequence: 1 };
  const status = instanceStatusSchema.parse({
    ...{ name: `i-${uuid.slice(-1)}`, uuid, incarnation: 1, clusterUuid: SET },
    ...{ replicaSetUuid: SET, replicaSetName: 'set', uri: 'i:1', httpUri: 'i:2' },
    ...{ runtimeVersion: '1', state: 'RolesConfigured', error: null, preparedChangeId: null },
    config: { version: 1, checksum: '' },
    replicaSet: {
      ...{ uuid: SET, leader, term, writable: false, ...flags },
      ...{ position, acknowledged: position, promisedTerm: term, inSync: [A, B], bucketCount: 0 },
    },
    ...{ roles: [], issues: [], ...more },
  });
  return [uuid, status];
}

/** Who leads in which term, and how: `i-a 3 writable`. */
function ledAs(...said: readonly (readonly [string, InstanceStatus])[]): string {
  const set = describeFailover(topology, new Map(said)).replicaSets[0];
  return `${set?.leader?.name} ${set?.term} ${set?.state}`;
}

describe('describeFailover', () => {
  it('tells all of a cluster, and what did not answer', () => {
    const issues = [
      { level: 'warning' as const, topic: 'failover', message: 'paused' },
      { level: 'warning' as const, topic: 'peer-silent', message: 'of something else' },
    ];
    const answer = saidBy(
      A,
      { writable: true },
      {
        issues,
        ...{ isActiveCoordinator: true, isFailoverPaused: true, suppressedReplicaSets: [SET] },
      },
    );
    const member = { isDisabled: false, isElectable: true, isInSync: true };
    assert.deepEqual(describeFailover(topology, new Map([answer])), {
      mode: 'stateful',
      stateProvider: 'stateboard',
      coordinator: 'i-a',
      pausedOn: ['i-a'],
      replicaSets: [
        {
          ...{ uuid: SET, name: 'set', leader: { uuid: A, name: 'i-a' }, term: 3 },
          ...{ state: 'writable', isSuppressed: true },
          members: [
            { ...member, uuid: A, name: 'i-a', state: 'RolesConfigured' },
            { ...member, uuid: B, name: 'i-b', state: null },
            { ...member, uuid: C, name: 'i-c', state: null, isDisabled: true, isInSync: false },
          ],
        },
      ],
      issues: [{ ...issues[0], instance: 'i-a' }],
    });
  });

  it('believes whoever takes writes, in the highest term', () => {
    const old = saidBy(A, { writable: true });
    assert.equal(ledAs(old, saidBy(B, { leader: B, term: 4, writable: true })), 'i-b 4 writable');
    assert.equal(ledAs(old, saidBy(B, { leader: B, term: 4 })), 'i-a 3 writable');
  });

  it('says in which way a set is led, or is not', () => {
    assert.equal(ledAs(saidBy(A, { writable: true, peerLeases: true })), 'i-a 3 peer-leases');
    assert.equal(ledAs(saidBy(A, {})), 'i-a 3 read-only');
    assert.equal(ledAs(saidBy(B, { term: 2 })), 'i-a 2 silent');
    assert.equal(ledAs(saidBy(B, { leader: null, term: 0 })), 'undefined 0 none');
    assert.equal(ledAs(), 'undefined 0 none');
  });
});
