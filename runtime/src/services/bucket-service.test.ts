import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BucketRange } from '../contract/cluster-config.ts';
import { ClusterError } from '../core/errors.ts';
import { silentLogger } from '../foundation/logger.ts';
import { PeerError } from '../ports/peers.ts';
import { defineRole } from '../role/define-role.ts';
import type { RoleContext } from '../role/role-context.ts';
import { EngineStorage } from '../testing/engine-storage.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { BUCKETS_PER_TRANSACTION, BucketService } from './bucket-service.ts';
import type { KnownLeader } from './leadership-engine.ts';
import { RoleHost } from './role-host.ts';

const SET = '00000000-0000-4000-8000-00000000000a';
const OTHER = '00000000-0000-4000-8000-00000000000b';
const ASSIGNMENT: readonly BucketRange[] = [
  { replicaset_uuid: SET, first: 1, last: 2 },
  { replicaset_uuid: OTHER, first: 3, last: 8 },
  { replicaset_uuid: SET, first: 9, last: 10 },
];

class Fixture {
  readonly clock = new SimulatedClock();
  leader: KnownLeader | undefined;
  readonly storage = new EngineStorage();
  readonly executed: unknown[] = [];
  /** What happens while the role's function runs. */
  during: () => void = () => undefined;
  /** When the role's function ends. */
  until: Promise<void> = Promise.resolve();
  readonly roles = new RoleHost({
    roles: [
      defineRole({
        name: 'app',
        rpc: {
          echo: async (_context, ...args: readonly unknown[]) => {
            this.executed.push(args);
            this.during();
            await this.until;
            return args;
          },
        },
      }),
    ],
    clock: new SimulatedClock(),
    logger: silentLogger,
    makeContext: (scope) => ({ signal: scope.signal }) as RoleContext,
  });
  readonly buckets = new BucketService({
    storage: this.storage,
    roles: () => this.roles,
    replicaSetUuid: () => SET,
    leaderOf: () => this.leader,
    clock: this.clock,
  });

  async start(): Promise<this> {
    await this.roles.apply({ sections: {}, asked: ['app'], isLeader: true });
    await this.buckets.createAssigned(ASSIGNMENT);
    return this;
  }

  async call(fields: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const call = { replicaSetUuid: SET, bucketId: 1, mode: 'write', role: 'app', fn: 'echo' };
    return this.buckets.call({ ...call, args: ['a', 1], ...fields });
  }
}

function refused(code: string) {
  return (error: unknown): boolean => error instanceof ClusterError && error.code === code;
}

describe('BucketService', () => {
  it('makes the buckets of its own ranges, once', async () => {
    const { buckets, storage } = await new Fixture().start();
    assert.equal(await buckets.count(), 4);
    const { writes } = storage;
    await buckets.createAssigned(ASSIGNMENT);
    assert.deepEqual([await buckets.count(), storage.writes], [4, writes]);
  });

  it('makes those that are missing of a range that was written in part', async () => {
    const fixture = new Fixture();
    await fixture.buckets.createAssigned([{ replicaset_uuid: SET, first: 1, last: 1 }]);
    await fixture.start();
    assert.equal(await fixture.buckets.count(), 4);
  });

  it('writes a bounded number of rows at once, and goes on where it was interrupted', async () => {
    const { buckets, storage } = new Fixture();
    const ranges: readonly BucketRange[] = [
      { replicaset_uuid: SET, first: 1, last: 12_345 },
      { replicaset_uuid: OTHER, first: 12_346, last: 20_000 },
      { replicaset_uuid: SET, first: 20_001, last: 20_003 },
    ];
    const write = storage.write.bind(storage);
    storage.write = async (work) => {
      // The space and two parts of the first range: the leadership is lost before the third.
      if (storage.writes === 3) throw new ClusterError('NO_LEADER');
      return write(work);
    };
    await assert.rejects(buckets.createAssigned(ranges), refused('NO_LEADER'));
    assert.equal(await buckets.count(), 2 * BUCKETS_PER_TRANSACTION);
    storage.write = write;
    await buckets.createAssigned(ranges);
    assert.deepEqual([await buckets.count(), storage.writes], [12_348, 5]);
    const ids = await storage.read((reader) =>
      reader.select('_bucket', [], { limit: 20_000 }).map(([id]) => id),
    );
    assert.deepEqual([ids[0], ids[12_344], ids[12_345], ids.at(-1)], [1, 12_345, 20_001, 20_003]);
  });

  it('counts none before there is a space for them', async () => {
    assert.equal(await new Fixture().buckets.count(), 0);
  });

  it('runs the role’s function for a bucket that is here, and for the whole replica set', async () => {
    const fixture = await new Fixture().start();
    assert.deepEqual(await fixture.call(), ['a', 1]);
    assert.deepEqual(await fixture.call({ bucketId: 0, mode: 'read' }), ['a', 1]);
    assert.equal(fixture.executed.length, 2);
  });

  const refusals: readonly {
    readonly name: string;
    readonly call?: Readonly<Record<string, unknown>>;
    readonly before?: (fixture: Fixture) => unknown;
    readonly code: string;
  }[] = [
    { name: 'a bucket of another replica set', call: { bucketId: 3 }, code: 'WRONG_BUCKET' },
    { name: 'a call for another replica set', call: { replicaSetUuid: OTHER }, code: 'NOT_LEADER' },
    {
      name: 'any call when it does not lead',
      before: (fixture) => {
        fixture.storage.isWritable = false;
      },
      code: 'NOT_LEADER',
    },
    {
      name: 'any call before its roles were applied as those of a leader',
      before: (fixture) => fixture.roles.apply({ sections: {}, asked: ['app'], isLeader: false }),
      code: 'NOT_LEADER',
    },
    { name: 'a role that does not run here', call: { role: 'other' }, code: 'ROLE_UNKNOWN' },
    {
      name: 'a function that the role does not have',
      call: { fn: 'toString' },
      code: 'ROLE_FUNCTION_UNKNOWN',
    },
  ];
  for (const { name, call = {}, before = () => undefined, code } of refusals) {
    it(`refuses ${name}, and executes nothing`, async () => {
      const fixture = await new Fixture().start();
      await before(fixture);
      await assert.rejects(fixture.call(call), refused(code));
      assert.deepEqual(fixture.executed, []);
    });
  }

  /** Code of the answer, and what it says of having been executed. */
  async function answer(calling: Promise<unknown>): Promise<readonly unknown[]> {
    const error: unknown = await calling.then(
      () => assert.fail('it was answered'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ClusterError);
    return [error.code, error.details];
  }

  it('proves that nothing was executed only when the function was not entered', async () => {
    const fixture = await new Fixture().start();
    const proof = { executed: false };
    assert.deepEqual(await answer(fixture.call({ bucketId: 3 })), ['WRONG_BUCKET', proof]);
    const unknown = fixture.call({ role: 'other' });
    assert.deepEqual(await answer(unknown), ['ROLE_UNKNOWN', proof]);
    // Nothing changes that: asking again would be in vain.
    assert.deepEqual(await answer(fixture.call({ fn: 'x' })), ['ROLE_FUNCTION_UNKNOWN', undefined]);
    fixture.during = () => {
      throw new ClusterError('ROLE_UNKNOWN', { details: { executed: false, name: 't.mail' } });
    };
    assert.deepEqual(await answer(fixture.call()), ['ROLE_UNKNOWN', { name: 't.mail' }]);
    assert.equal(fixture.executed.length, 1);
  });

  for (const thrown of [
    new ClusterError('NOT_LEADER'),
    new ClusterError('WRONG_BUCKET'),
    new ClusterError('PEER_UNREACHABLE'),
    new PeerError('not-sent', 'mail is not there'),
  ]) {
    const what = thrown instanceof ClusterError ? thrown.code : thrown.name;
    it(`does not pass on ${what} of another instance as if it had executed nothing itself`, async () => {
      const fixture = await new Fixture().start();
      fixture.during = () => {
        throw thrown;
      };
      await assert.rejects(
        fixture.call(),
        (error) => refused('OUTCOME_UNKNOWN')(error) && String(error).includes(thrown.message),
      );
      await assert.rejects(fixture.call({ mode: 'read' }), thrown);
    });
  }

  it('gives no answer to a reading call when it lost the leadership meanwhile', async () => {
    const fixture = await new Fixture().start();
    fixture.during = () => {
      fixture.storage.isWritable = false;
    };
    await assert.rejects(fixture.call({ mode: 'read' }), refused('NOT_LEADER'));
    fixture.storage.isWritable = true;
    // A write has its own proof: it was acknowledged by all in-sync instances, or it has thrown.
    assert.deepEqual(await fixture.call({ mode: 'write' }), ['a', 1]);
  });

  it('lets those end that were let in before a handover, and refuses others with who leads then', async () => {
    const fixture = await new Fixture().start();
    const { buckets, clock } = fixture;
    let end = (): void => undefined;
    fixture.until = new Promise((resolve) => {
      end = resolve;
    });
    const entered = fixture.call();
    await clock.advance(0);
    let isDrained = false;
    const draining = buckets.drain().then(() => {
      isDrained = true;
    });
    fixture.leader = { uuid: OTHER, term: 2 };
    const refusal = { executed: false, leader: fixture.leader };
    assert.deepEqual(await answer(fixture.call()), ['NOT_LEADER', refusal]);
    await clock.advance(100);
    assert.equal(isDrained, false);
    end();
    assert.deepEqual(await entered, ['a', 1]);
    await draining;
    buckets.letIn();
    assert.deepEqual(await fixture.call(), ['a', 1]);
  });

  it('does not wait for ever for a function before a handover', async () => {
    const fixture = await new Fixture().start();
    fixture.until = new Promise(() => undefined);
    void fixture.call();
    await fixture.clock.advance(0);
    const draining = fixture.buckets.drain();
    await fixture.clock.advance(1000);
    await draining;
  });

  it('tells who asks when it takes calls, and at once who leads in a higher term than was known', async () => {
    const fixture = await new Fixture().start();
    const ask = async (term: number): Promise<unknown> =>
      fixture.buckets.handlers().get('bucket.leader')?.({
        replicaSetUuid: SET,
        ...{ term, waitMs: 1000 },
      });
    assert.deepEqual(await ask(1), { takesCalls: true, leader: null });
    fixture.storage.isWritable = false;
    fixture.leader = { uuid: OTHER, term: 2 };
    assert.deepEqual(await ask(1), { takesCalls: false, leader: fixture.leader });
    const waiting = ask(2);
    await fixture.clock.advance(500);
    fixture.storage.isWritable = true;
    fixture.buckets.leadershipChanged();
    assert.deepEqual(await waiting, { takesCalls: true, leader: fixture.leader });
    assert.equal(fixture.clock.monotonicMs(), 500);
    fixture.storage.isWritable = false;
    const inVain = ask(2);
    await fixture.clock.advance(1000);
    assert.deepEqual(await inVain, { takesCalls: false, leader: fixture.leader });
  });

  it('refuses a body that is no call', async () => {
    const fixture = await new Fixture().start();
    for (const fields of [{ bucketId: -1 }, { mode: 'both' }, { args: 'a' }]) {
      await assert.rejects(fixture.call(fields), { name: 'ZodError' });
    }
  });
});
