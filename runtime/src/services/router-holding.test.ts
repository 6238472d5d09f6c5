import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { PeerError, type Peers } from '../ports/peers.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { type BucketCall, type RouterLimits, RouterService } from './router-service.ts';

const SET = '00000000-0000-4000-8000-00000000000a';
const A = '00000000-0000-4000-8000-0000000000a1';
const B = '00000000-0000-4000-8000-0000000000a2';

const topology = topologySchema.parse({
  servers: Object.fromEntries(
    [A, B].map((uuid) => [
      uuid,
      { uri: 'host:1', http_uri: `${uuid}:1`, alias: uuid, replicaset_uuid: SET },
    ]),
  ) as unknown,
});

/** What was asked of an instance, until the test answers. */
interface Question {
  readonly to: string;
  readonly method: string;
  readonly answer: (value: unknown) => void;
  readonly fail: (error: Error) => void;
}

class Fixture {
  readonly clock = new SimulatedClock();
  readonly open: Question[] = [];
  leader: KnownLeader | undefined = { uuid: A, term: 1 };
  readonly router: RouterService;

  constructor(limits: Partial<RouterLimits> = {}) {
    const peers: Peers = {
      call: (address, method) =>
        new Promise((answer, fail) => {
          this.open.push({ to: address.slice(0, -2), method, answer, fail });
        }),
    };
    this.router = new RouterService({
      ...{ clock: this.clock, peers, limits },
      topology: () => topology,
      groups: () => ({
        default: {
          bucket_count: 1,
          bootstrapped: true,
          assignment: [{ replicaset_uuid: SET, first: 1, last: 1 }],
        },
      }),
      leaderOf: () => this.leader,
    });
  }

  /** What the call has come to, once it has: its value, or the code of its error. */
  call(over: Partial<BucketCall> = {}): { outcome: unknown } {
    const seen: { outcome: unknown } = { outcome: 'waits' };
    const call = {
      bucketId: 1,
      mode: 'write',
      role: 'r',
      fn: 'f',
      args: [],
      timeoutMs: 5000,
    } as const;
    this.router.call({ ...call, ...over }).then(
      (value) => {
        seen.outcome = value;
      },
      (error: unknown) => {
        seen.outcome = error instanceof ClusterError ? error.code : error;
      },
    );
    return seen;
  }

  /** Where which questions are open now. */
  async asked(): Promise<readonly string[]> {
    await this.clock.advance(0);
    return this.open.map(({ to, method }) => `${method} ${to === A ? 'A' : 'B'}`);
  }

  /** The oldest open question of this method. */
  async take(method: string): Promise<Question> {
    await this.clock.advance(0);
    const at = this.open.findIndex((question) => question.method === method);
    const [question] = at < 0 ? [] : this.open.splice(at, 1);
    assert.ok(question !== undefined, `nobody was asked for ${method}`);
    return question;
  }

  moveTo(leader: KnownLeader): void {
    this.leader = leader;
    this.router.leadersChanged();
  }
}

const refusal = (leader?: KnownLeader): ClusterError =>
  new ClusterError('NOT_LEADER', {
    details: { executed: false, ...(leader === undefined ? {} : { leader }) },
  });

describe('a router without a leader that takes calls', () => {
  it('asks once for all that wait, and sends them when the leader takes calls', async () => {
    const fixture = new Fixture();
    const calls = [fixture.call(), fixture.call()];
    (await fixture.take('bucket.call')).fail(refusal());
    await fixture.asked();
    calls.push(fixture.call());
    assert.deepEqual(await fixture.asked(), ['bucket.call A', 'bucket.leader A']);
    (await fixture.take('bucket.call')).fail(refusal());
    assert.deepEqual(await fixture.asked(), ['bucket.leader A']);
    (await fixture.take('bucket.leader')).answer({ takesCalls: true, leader: null });
    assert.deepEqual(await fixture.asked(), ['bucket.call A', 'bucket.call A', 'bucket.call A']);
    for (const { answer } of fixture.open) answer('done');
    await fixture.clock.advance(0);
    assert.deepEqual(calls, Array(3).fill({ outcome: 'done' }));
  });

  it('goes to the successor that a refusal names, before its own map does', async () => {
    const fixture = new Fixture();
    const call = fixture.call();
    (await fixture.take('bucket.call')).fail(refusal({ uuid: B, term: 2 }));
    (await fixture.take('bucket.call')).answer('done');
    await fixture.clock.advance(0);
    assert.deepEqual(call, { outcome: 'done' });
  });

  it('goes to the successor that a leader tells at the end of a handover', async () => {
    const fixture = new Fixture();
    const call = fixture.call();
    (await fixture.take('bucket.call')).fail(refusal());
    const leader = { uuid: B, term: 2 };
    (await fixture.take('bucket.leader')).answer({ takesCalls: false, leader });
    assert.deepEqual(await fixture.asked(), ['bucket.leader B']);
    (await fixture.take('bucket.leader')).answer({ takesCalls: true, leader });
    (await fixture.take('bucket.call')).answer('done');
    await fixture.clock.advance(0);
    assert.deepEqual(call, { outcome: 'done' });
  });

  it('believes its map again as soon as that moves', async () => {
    const fixture = new Fixture();
    fixture.call();
    (await fixture.take('bucket.call')).fail(refusal({ uuid: B, term: 9 }));
    assert.deepEqual(await fixture.asked(), ['bucket.call B']);
    fixture.moveTo({ uuid: A, term: 3 });
    fixture.call();
    assert.deepEqual(await fixture.asked(), ['bucket.call B', 'bucket.call A']);
  });

  it('wakes at once when its map names another, though the old one is silent', async () => {
    const fixture = new Fixture();
    const call = fixture.call();
    (await fixture.take('bucket.call')).fail(new PeerError('not-sent', 'refused'));
    assert.deepEqual(await fixture.asked(), ['bucket.leader A']);
    fixture.moveTo({ uuid: B, term: 2 });
    assert.deepEqual(await fixture.asked(), ['bucket.leader A', 'bucket.leader B']);
    fixture.open.at(-1)?.answer({ takesCalls: true, leader: null });
    (await fixture.take('bucket.call')).answer('done');
    await fixture.clock.advance(0);
    assert.deepEqual([call.outcome, fixture.clock.monotonicMs()], ['done', 0]);
  });

  it('says at the deadline that nothing was done, and holds no more than it may', async () => {
    const fixture = new Fixture({ heldCalls: 2 });
    fixture.leader = undefined;
    const calls = [fixture.call({ timeoutMs: 100 }), fixture.call(), fixture.call()];
    await fixture.clock.advance(0);
    assert.deepEqual(
      calls.map(({ outcome }) => outcome),
      ['waits', 'waits', 'NO_LEADER'],
    );
    await fixture.clock.advance(100);
    assert.deepEqual(
      calls.map(({ outcome }) => outcome),
      ['NO_LEADER', 'waits', 'NO_LEADER'],
    );
    // One has gone, so another one may wait.
    const another = fixture.call();
    await fixture.clock.advance(0);
    assert.equal(another.outcome, 'waits');
  });

  it('bounds what waits by its bytes too', async () => {
    const fixture = new Fixture({ heldBytes: 1000 });
    fixture.leader = undefined;
    const calls = [fixture.call(), fixture.call({ args: ['x'.repeat(1000)] })];
    await fixture.clock.advance(0);
    assert.deepEqual(
      calls.map(({ outcome }) => outcome),
      ['waits', 'NO_LEADER'],
    );
  });

  it('does not give a new leader all that waited in one moment', async () => {
    const fixture = new Fixture();
    fixture.leader = undefined;
    for (let count = 0; count < 300; count++) fixture.call();
    await fixture.clock.advance(0);
    fixture.moveTo({ uuid: B, term: 1 });
    (await fixture.take('bucket.leader')).answer({ takesCalls: true, leader: null });
    assert.equal((await fixture.asked()).length, 256);
    for (const { answer } of fixture.open.splice(0)) answer('done');
    assert.equal((await fixture.asked()).length, 44);
  });
});

describe('a router whose leader does not answer', () => {
  it('says that the outcome of a write is unknown as soon as another leads, not at its deadline', async () => {
    const fixture = new Fixture();
    const [write, read] = [fixture.call(), fixture.call({ mode: 'read' })];
    await fixture.clock.advance(0);
    fixture.moveTo({ uuid: B, term: 2 });
    assert.deepEqual(await fixture.asked(), ['bucket.call A', 'bucket.call A', 'bucket.call B']);
    await fixture.clock.advance(1100);
    assert.deepEqual([write.outcome, read.outcome], ['OUTCOME_UNKNOWN', 'waits']);
    fixture.open.at(-1)?.answer('read');
    await fixture.clock.advance(0);
    assert.equal(read.outcome, 'read');
  });

  it('takes an answer that was on its way when the leader handed over', async () => {
    const fixture = new Fixture();
    const write = fixture.call();
    await fixture.clock.advance(0);
    fixture.moveTo({ uuid: B, term: 2 });
    await fixture.clock.advance(500);
    (await fixture.take('bucket.call')).answer('stored');
    await fixture.clock.advance(1000);
    assert.equal(write.outcome, 'stored');
  });

  it('gives it no more writes after a while, until it says that it leads', async () => {
    const fixture = new Fixture();
    fixture.call();
    await fixture.clock.advance(300);
    const later = fixture.call();
    assert.deepEqual(await fixture.asked(), ['bucket.call A', 'bucket.leader A']);
    (await fixture.take('bucket.leader')).answer({ takesCalls: true, leader: null });
    // The function of the first one just takes long.
    assert.deepEqual(await fixture.asked(), ['bucket.call A', 'bucket.call A']);
    for (const { answer } of fixture.open) answer('done');
    await fixture.clock.advance(0);
    assert.equal(later.outcome, 'done');
  });
});
