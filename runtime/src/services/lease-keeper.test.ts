import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lease, leaseSchema, providerKeys } from '../contract/provider-records.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedStateProvider } from '../testing/simulated-state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import type { HeldLease } from './held-report.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LoopRenewals } from './loop-renewals.ts';

const SET = '00000000-0000-4000-8000-0000000000aa';
const A = '00000000-0000-4000-8000-000000000001';
const KEY = providerKeys.lease(SET);
const TTL_MS = 1000;
const identity = {
  ...{ v: 1 as const, uuid: A, clusterUuid: A, bootId: 'boot', incarnation: 4, logIncarnation: 1 },
};
const appointed: Lease = {
  ...{ v: 1, term: 3, holder: A, incarnation: 0, nonce: 'appointed', released: false },
};
const yes = (): boolean => true;
const { signal } = new AbortController();

/** A keeper that has taken the lease; what is to renew it beside has been started, and reaches its provider or not. */
async function givenStarted(reach: 'ok' | 'silent' = 'ok') {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const store = new SimulatedStore();
  const put = (lease: Lease): void => {
    const writes = [{ kind: 'put' as const, key: KEY, value: JSON.stringify(lease) }];
    store.transact({ compare: [], writes });
  };
  put(appointed);
  const open = () => new SimulatedStateProvider({ store, clock, random });
  const provider = open();
  /** Clients of those who renew beside the keeper. */
  const others: SimulatedStateProvider[] = [];
  const held: (readonly HeldLease[])[] = [];
  let failures = 0;
  /** Of the next attempts to begin. */
  const refusals: boolean[] = [];
  const keeper = new LeaseKeeper({
    ...{ provider, clock, random, logger: silentLogger, identity, replicaSetUuid: SET },
    ttlMs: TTL_MS,
    renewals: new LoopRenewals({
      ...{ clock, random },
      openProvider: () => {
        if (refusals.shift() === true) throw new Error('no more threads');
        const other = open();
        other.faults.reach = reach;
        others.push(other);
        return other;
      },
    }),
    onRenewalsFailed: () => failures++,
    onChange: () => undefined,
    onHeld: (leases) => held.push(leases),
  });
  const twoRounds = async (): Promise<void> => {
    await round();
    await clock.advance(1);
    await round();
  };
  const round = (): Promise<void> =>
    keeper.exclusive(async () => {
      await keeper.takeOrRenew(3, yes, signal);
      await keeper.delegate();
    });
  await round();
  assert.equal(keeper.permit(3), false);
  await clock.advance(2 * TTL_MS);
  await round();
  assert.equal(keeper.permit(3), false);
  const nonce = (): string => leaseSchema.parse(JSON.parse(store.get(KEY)?.value ?? '')).nonce;
  return {
    ...{ clock, keeper, put, nonce, round, twoRounds, provider, store, others, held, refusals },
    failures: () => failures,
  };
}

/** It renews beside its keeper. */
async function givenDelegated() {
  const given = await givenStarted();
  await given.clock.advance(1);
  await given.round();
  assert.equal(given.keeper.permit(3), true);
  return given;
}

describe('a lease that is renewed beside the main loop', () => {
  it('is renewed by its keeper until what is to renew it is ready', async () => {
    const { clock, keeper, others, round } = await givenStarted('silent');
    const [other] = others;
    assert.ok(other);
    for (let rounds = 0; rounds < 5; rounds++) {
      await clock.advance(TTL_MS / 2);
      assert.ok(keeper.deadlineMs() > clock.monotonicMs());
      await round();
      assert.deepEqual([keeper.permit(3), keeper.isKnown], [false, true]);
    }
    other.faults.reach = 'ok';
    await clock.advance(TTL_MS);
    await round();
    assert.deepEqual([keeper.permit(3), others.length], [true, 1]);
  });

  it('is renewed by its keeper alone when it is dropped or recalled before that', async () => {
    const ends = [
      async (keeper: LeaseKeeper) => keeper.drop('a higher term was promised'),
      async (keeper: LeaseKeeper) => keeper.recall(),
    ];
    for (const end of ends) {
      const { clock, keeper, others, round } = await givenStarted('silent');
      const [other] = others;
      assert.ok(other);
      await end(keeper);
      other.faults.reach = 'ok';
      await clock.advance(TTL_MS);
      await round();
      assert.deepEqual([keeper.term, keeper.permit(3), others.length], [3, false, 1]);
    }
  });

  it('is held for as long as that is permitted, without its keeper', async () => {
    const { clock, keeper } = await givenDelegated();
    await clock.advance(2.4 * TTL_MS);
    assert.ok(keeper.deadlineMs() > clock.monotonicMs());
    await clock.advance(TTL_MS + 100);
    assert.ok(keeper.deadlineMs() <= clock.monotonicMs());
    assert.equal(keeper.permit(3), false);
  });

  it('is taken back by whoever compares the record, and delegated again later', async () => {
    const { clock, keeper, provider, nonce, twoRounds } = await givenDelegated();
    await clock.advance(TTL_MS);
    const last = nonce();
    await keeper.exclusive(async () => {
      const compare = [{ key: KEY, revision: keeper.revision ?? 0 }];
      const outcome = await provider.transact({ compare, writes: [] }, { timeoutMs: 100 });
      assert.deepEqual([outcome.kind, keeper.isKnown], ['applied', true]);
      await clock.advance(2 * TTL_MS);
      assert.equal(nonce(), last);
    });
    assert.equal(keeper.permit(3), false);
    await twoRounds();
    assert.equal(keeper.permit(3), true);
  });

  it('is over for its keeper in the tick in which it is dropped, and renewed no more', async () => {
    const { clock, keeper, nonce } = await givenDelegated();
    await clock.advance(TTL_MS);
    keeper.drop('a higher term was promised');
    const last = nonce();
    assert.deepEqual(
      [keeper.term, keeper.standing, keeper.deadlineMs()],
      [undefined, undefined, Number.NEGATIVE_INFINITY],
    );
    await clock.advance(2 * TTL_MS);
    assert.deepEqual([nonce(), keeper.deadlineMs()], [last, Number.NEGATIVE_INFINITY]);
  });

  it('is held when its keeper cannot read yet where the record is since a copy was brought back', async () => {
    const { clock, keeper, others, provider, store, put, round } = await givenDelegated();
    const [other] = others;
    assert.ok(other);
    other.faults.loseReply = 1;
    await clock.advance(TTL_MS / 2);
    const written = leaseSchema.parse(JSON.parse(store.get(KEY)?.value ?? ''));
    store.forget(store.revision);
    put(written);
    other.faults.loseReply = 0;
    await clock.advance(TTL_MS / 3);
    assert.ok(keeper.isKnown);
    provider.faults.reach = 'silent';
    const deadlineMs = keeper.deadlineMs();
    const recalled = keeper.recall();
    await clock.advance(TTL_MS / 2);
    await recalled;
    assert.deepEqual([keeper.term, keeper.deadlineMs()], [3, deadlineMs]);
    assert.ok(deadlineMs > clock.monotonicMs());
    provider.faults.reach = 'ok';
    await round();
    assert.deepEqual([keeper.isKnown, keeper.deadlineMs()], [true, clock.monotonicMs() + TTL_MS]);
  });

  it('is over when somebody else has written the record', async () => {
    const { clock, keeper, put, held } = await givenDelegated();
    put({ ...appointed, term: 4, nonce: 'another' });
    await clock.advance(TTL_MS / 2);
    assert.deepEqual([keeper.term, held.at(-1)], [undefined, []]);
  });

  it('is renewed by its keeper when what renews it is late, and delegated again later', async () => {
    const { clock, keeper, others, round, twoRounds } = await givenDelegated();
    const [other] = others;
    assert.ok(other);
    other.faults.reach = 'silent';
    await clock.advance(keeper.lateAtMs - clock.monotonicMs() - 1);
    assert.equal(keeper.permit(3), true);
    await clock.advance(1);
    assert.equal(keeper.permit(3), false);
    await round();
    assert.deepEqual([keeper.isKnown, keeper.lateAtMs], [true, Number.POSITIVE_INFINITY]);
    assert.ok(keeper.deadlineMs() > clock.monotonicMs() + TTL_MS - 10);
    await clock.advance(5 * TTL_MS - 2);
    await twoRounds();
    assert.deepEqual([keeper.permit(3), others.length], [false, 1]);
    await clock.advance(1);
    await twoRounds();
    assert.equal(keeper.permit(3), true);
  });

  it('is renewed by its keeper when nothing can be begun to renew it', async () => {
    const { clock, keeper, round, twoRounds, refusals } = await givenDelegated();
    await keeper.recall();
    refusals.push(true);
    await clock.advance(1.5 * TTL_MS);
    await round();
    assert.deepEqual([keeper.permit(3), keeper.isKnown], [false, true]);
    await clock.advance(5 * TTL_MS);
    await twoRounds();
    assert.equal(keeper.permit(3), true);
  });

  it('is renewed by its keeper when what renews it has failed, whatever that had sent', async () => {
    const { clock, keeper, others, round, failures, held } = await givenDelegated();
    const [other] = others;
    assert.ok(other);
    // The attempt is applied, and then what had sent it breaks.
    const transact = other.transact.bind(other);
    other.transact = async (...call) => {
      await transact(...call);
      throw new TypeError('broken');
    };
    await clock.advance(TTL_MS / 2);
    assert.deepEqual([failures(), keeper.permit(3), keeper.isKnown], [1, false, false]);
    await round();
    assert.deepEqual([keeper.term, keeper.isKnown, held.length], [3, true, 1]);
    assert.ok(keeper.deadlineMs() > clock.monotonicMs() + TTL_MS / 2);
  });
});
