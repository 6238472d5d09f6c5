import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema, type VshardGroups } from '../contract/cluster-config.ts';
import { ClusterError, type ErrorCode } from '../core/errors.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { type BucketCall, RouterService } from './router-service.ts';

const SET_A = '00000000-0000-4000-8000-00000000000a';
const SET_B = '00000000-0000-4000-8000-00000000000b';
const LEADER_A = '00000000-0000-4000-8000-0000000000a1';
const OTHER_A = '00000000-0000-4000-8000-0000000000a2';

const groups: VshardGroups = {
  default: {
    bucket_count: 10,
    bootstrapped: true,
    assignment: [
      { replicaset_uuid: SET_B, first: 6, last: 10 },
      { replicaset_uuid: SET_A, first: 1, last: 5 },
    ],
  },
};

const server = (name: string): Record<string, unknown> => ({
  uri: `${name}:3301`,
  http_uri: `${name}:8081`,
  alias: name,
  replicaset_uuid: SET_A,
});
const topology = topologySchema.parse({
  servers: { [LEADER_A]: server('a1'), [OTHER_A]: server('a2') },
});

type Answer = { value: unknown } | { error: Error };

/** A router whose peers give the scripted answers, in order; the last one is repeated. */
function routerWith(
  answers: readonly Answer[],
  leaders: readonly (string | undefined)[] = [LEADER_A],
) {
  const clock = new SimulatedClock();
  const asked: string[] = [];
  const peers: Peers = {
    call: async (address, method) => {
      // Whoever leads says so at once.
      if (method === 'bucket.leader') return { takesCalls: true, leader: null };
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(address);
      if (answer === undefined) throw new Error('no answer scripted');
      if ('error' in answer) throw answer.error;
      return answer.value;
    },
  };
  const router = new RouterService({
    clock,
    peers,
    topology: () => topology,
    groups: () => groups,
    leaderOf: () => {
      const uuid = leaders[Math.min(asked.length, leaders.length - 1)];
      return uuid === undefined ? undefined : { uuid, term: 1 };
    },
  });
  const call = async (over: Partial<BucketCall> = {}): Promise<unknown> => {
    const done = router.call({
      bucketId: 3,
      mode: 'write',
      role: 'r',
      fn: 'f',
      args: [],
      timeoutMs: 1000,
      ...over,
    });
    const settled = done.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([settled, Promise.resolve(false)])) && (await clock.next()));
    return done;
  };
  return { call, asked };
}

const refusal = (code: ErrorCode): Answer => ({ error: new ClusterError(code) });
/** As an instance refuses what it has not begun. */
const notEntered = (code: ErrorCode): Answer => ({
  error: new ClusterError(code, { details: { executed: false } }),
});
const network = (kind: 'not-sent' | 'unknown'): Answer => ({
  error: new PeerError(kind, 'broken'),
});

function failsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof ClusterError && error.code === code;
}

describe('RouterService', () => {
  it('calls the leader of the owner', async () => {
    const { call, asked } = routerWith([{ value: 42 }]);
    assert.equal(await call(), 42);
    assert.deepEqual(asked, ['a1:8081']);
  });

  it('follows the leader when nothing was executed', async () => {
    const { call, asked } = routerWith(
      [notEntered('NOT_LEADER'), network('not-sent'), { value: 1 }],
      [LEADER_A, OTHER_A],
    );
    assert.equal(await call(), 1);
    assert.deepEqual(asked, ['a1:8081', 'a2:8081', 'a2:8081']);
  });

  it('never sends a write again whose outcome is not known', async () => {
    const { call, asked } = routerWith([network('unknown'), { value: 1 }]);
    await assert.rejects(call(), failsWith('OUTCOME_UNKNOWN'));
    assert.equal(asked.length, 1);
  });

  const fromWithin: readonly ErrorCode[] = [
    'ROLE_UNKNOWN',
    'NOT_LEADER',
    'WRONG_BUCKET',
    'STATE_FORBIDS',
    'NO_LEADER',
  ];
  for (const code of fromWithin) {
    it(`never sends a write again that the function itself answered with ${code}`, async () => {
      const { call, asked } = routerWith([refusal(code), { value: 1 }]);
      await assert.rejects(call(), failsWith(code));
      assert.equal(asked.length, 1);
    });
  }

  it('sends a write again to an instance that is not yet there for calls', async () => {
    const { call, asked } = routerWith([notEntered('NOT_FOUND'), { value: 1 }]);
    assert.equal(await call(), 1);
    assert.equal(asked.length, 2);
  });

  it('sends a read again whatever broke', async () => {
    const { call } = routerWith([network('unknown'), refusal('SCHEMA_MISSING'), { value: 1 }]);
    assert.equal(await call({ mode: 'read' }), 1);
  });

  it('passes on what the role refused', async () => {
    const { call, asked } = routerWith([refusal('DUPLICATE_KEY'), { value: 1 }]);
    await assert.rejects(call(), failsWith('DUPLICATE_KEY'));
    assert.equal(asked.length, 1);
  });

  it('says why it gave up at its deadline, when nothing was executed', async () => {
    const { call } = routerWith([{ value: 1 }], [undefined]);
    await assert.rejects(
      call(),
      (error) => failsWith('NO_LEADER')(error) && /has no leader/.test(String(error)),
    );
  });

  for (const bucketId of [0, 11, 1.5]) {
    it(`refuses bucket ${bucketId} of 10 and names the field`, async () => {
      const { call, asked } = routerWith([{ value: 1 }]);
      await assert.rejects(
        call({ bucketId }),
        (error) => error instanceof ClusterError && error.field === 'bucketId',
      );
      assert.equal(asked.length, 0);
    });
  }
});
