import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lease, leaseSchema, providerKeys } from '../contract/provider-records.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedStateProvider } from '../testing/simulated-state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import { LeaseKeeper, type PreparedLease } from './lease-keeper.ts';

const SET = '00000000-0000-4000-8000-0000000000aa';
const [A, B] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];
const KEY = providerKeys.lease(SET);
const TTL_MS = 1000;
const INCARNATION = 4;
const yes = (): boolean => true;
const { signal } = new AbortController();

/** B's keeper; A leads term 2. */
function givenSuccessor(incarnation = INCARNATION) {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const store = new SimulatedStore();
  const provider = new SimulatedStateProvider({ store, clock, random });
  /** Terms, as the launcher knows of them. */
  const held: number[][] = [];
  const keeper = new LeaseKeeper({
    ...{ provider, clock, random, logger: silentLogger, replicaSetUuid: SET, ttlMs: TTL_MS },
    identity: {
      ...{ v: 1, uuid: B, clusterUuid: A, bootId: 'boot', incarnation, logIncarnation: 1 },
    },
    onRenewalsFailed: () => undefined,
    onChange: () => undefined,
    onHeld: (leases) => held.push(leases.map(({ term }) => term)),
  });
  /** Somebody stores it: the revision, as B's client calls it. */
  const apply = async (lease: Partial<Lease>): Promise<number> => {
    const whole = { v: 1, holder: B, incarnation: 0, nonce: 'n', released: false, ...lease };
    const value = JSON.stringify(whole);
    store.transact({ writes: [{ kind: 'put', key: KEY, value }] });
    return (await provider.get(KEY, { timeoutMs: 100 }))?.revision ?? 0;
  };
  const round = (term: number): Promise<void> =>
    keeper.exclusive(() => keeper.takeOrRenew(term, yes, signal));
  const record = (): Lease => leaseSchema.parse(JSON.parse(store.get(KEY)?.value ?? ''));
  return { clock, keeper, held, apply, round, record };
}

const handed = (term: number, prepared: PreparedLease): Partial<Lease> => ({ term, ...prepared });

describe('a lease that was prepared for a handover', () => {
  it('counts from when it was prepared, and is reported before anybody can have it stored', async () => {
    const { clock, keeper, held, apply } = givenSuccessor();
    const prepared = keeper.prepare(3);
    assert.deepEqual(held, [[3]]);
    const preparedMs = clock.monotonicMs();
    await clock.advance(300);
    const revision = await apply(handed(3, prepared));
    assert.equal(keeper.takePrepared(3, prepared.nonce, revision), true);
    assert.deepEqual([keeper.term, keeper.deadlineMs()], [3, preparedMs + TTL_MS]);
  });

  it('is taken from its record when nobody tells of it', async () => {
    const { clock, keeper, apply, round, record } = givenSuccessor();
    const prepared = keeper.prepare(3);
    await apply(handed(3, prepared));
    await clock.advance(300);
    await round(3);
    assert.deepEqual([keeper.term, keeper.isKnown], [3, true]);
    assert.equal(keeper.deadlineMs(), clock.monotonicMs() + TTL_MS);
    assert.notEqual(record().nonce, prepared.nonce);
  });

  it('is taken once', async () => {
    const { keeper, apply } = givenSuccessor();
    const prepared = keeper.prepare(3);
    const revision = await apply(handed(3, prepared));
    keeper.takePrepared(3, prepared.nonce, revision);
    keeper.drop('a higher term was promised');
    assert.equal(keeper.takePrepared(3, prepared.nonce, revision), false);
    assert.deepEqual([keeper.term, keeper.deadlineMs()], [undefined, Number.NEGATIVE_INFINITY]);
  });

  it('counts for nothing when another was prepared after it', async () => {
    const { keeper, apply, round } = givenSuccessor();
    const first = keeper.prepare(3);
    const second = keeper.prepare(3);
    const revision = await apply(handed(3, first));
    assert.equal(keeper.takePrepared(3, first.nonce, revision), false);
    assert.equal(keeper.deadlineMs(), Number.NEGATIVE_INFINITY);
    await round(3);
    assert.deepEqual([keeper.term, keeper.isKnown], [3, true]);
    assert.equal(keeper.takePrepared(3, second.nonce, revision), false);
  });

  it('is forgotten when it was not taken within its time', async () => {
    const { clock, keeper, held, apply } = givenSuccessor();
    const prepared = keeper.prepare(3);
    await clock.advance(TTL_MS - 1);
    keeper.forgetPrepared();
    assert.deepEqual(held, [[3]]);
    await clock.advance(1);
    keeper.forgetPrepared();
    assert.deepEqual(held, [[3], []]);
    assert.equal(keeper.takePrepared(3, prepared.nonce, await apply(handed(3, prepared))), false);
  });

  it('is over when another term has begun here, whose record stays reported', async () => {
    const { clock, keeper, held, apply, round } = givenSuccessor();
    const prepared = keeper.prepare(3);
    await apply({ term: 4 });
    await round(4);
    keeper.drop('a higher term was promised');
    await clock.advance(2 * TTL_MS);
    keeper.forgetPrepared();
    assert.deepEqual(held, [[3], [4]]);
    assert.equal(keeper.takePrepared(3, prepared.nonce, 1), false);
  });

  it('leaves reported what the record may name when it is forgotten', async () => {
    const { clock, keeper, held, apply, round } = givenSuccessor();
    await apply({ term: 2 });
    await round(2);
    keeper.drop('a higher term was promised');
    keeper.prepare(3);
    await clock.advance(TTL_MS);
    keeper.forgetPrepared();
    assert.deepEqual(held, [[2], [3], [2]]);
  });

  it('stays reported when the release of an earlier term ends after it', async () => {
    const { keeper, held, apply, round, record } = givenSuccessor();
    await apply({ term: 2 });
    await round(2);
    const released = keeper.release(signal);
    await Promise.resolve().then(() => undefined);
    assert.equal(keeper.term, undefined);
    keeper.prepare(3);
    await released;
    assert.deepEqual([held, record().released], [[[2], [3], [3]], true]);
  });

  it('is released by the next process when that for which it was stored is dead', async () => {
    const { keeper: dead } = givenSuccessor();
    const prepared = dead.prepare(3);
    const { keeper, apply, round, record } = givenSuccessor(INCARNATION + 1);
    await apply(handed(3, prepared));
    await round(3);
    assert.deepEqual([keeper.term, record().released], [undefined, true]);
  });
});
