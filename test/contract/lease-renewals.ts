/** What whatever renews a lease beside the main loop must do, on a real state provider. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StateProviderConfig } from '@tonearm/runtime/contract';
import { createStateProvider } from '../../runtime/src/adapters/create-state-provider.ts';
import {
  type Lease,
  leaseSchema,
  providerKeys,
} from '../../runtime/src/contract/provider-records.ts';
import { systemClock } from '../../runtime/src/foundation/clock.ts';
import type {
  LeaseRenewals,
  RenewalTarget,
  RenewalTask,
  RunningRenewals,
  StartedRenewals,
} from '../../runtime/src/ports/lease-renewals.ts';
import type { StateProvider } from '../../runtime/src/ports/state-provider.ts';
import { waitUntil } from '../support/wait-until.ts';

const TTL_MS = 200;
const HOLDER = '00000000-0000-4000-8000-000000000001';
const options = { timeoutMs: 1000 };

interface Board {
  /** Another prefix each time. */
  provider(): StateProviderConfig;
  /** It is away, until that which is returned is called. */
  away(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

interface Held {
  readonly config: StateProviderConfig;
  /** Another client than the one that renews. */
  readonly provider: StateProvider;
  readonly key: string;
  readonly target: RenewalTarget;
  readonly task: RenewalTask;
}

export function describeLeaseRenewals(
  name: string,
  open: (config: StateProviderConfig) => LeaseRenewals,
  startBoard: () => Promise<Board>,
): void {
  describe(`${name} as renewals of a lease`, () => {
    let board: Board;
    const providers: StateProvider[] = [];
    const running: Pick<RunningRenewals, 'stop'>[] = [];

    before(async () => {
      board = await startBoard();
    });
    afterEach(async () => {
      for (const each of running.splice(0)) await each.stop();
      for (const each of providers.splice(0)) await each.close();
    });
    after(() => board.close());

    const hold = async (): Promise<Held> => {
      const config = board.provider();
      const provider = createStateProvider(config);
      providers.push(provider);
      return { config, provider, ...(await take(provider)) };
    };
    const start = ({ config, target }: Held): StartedRenewals => {
      const renewals = open(config).start(target);
      running.push(renewals);
      return renewals;
    };
    const begin = async (held: Held, task = held.task, onNews = nobody) => {
      const started = start(held);
      await waitUntil('it is ready', () => started.isReady);
      return started.begin(task, onNews);
    };

    it('is not ready before it has read, and writes nothing before it is given the hold', async () => {
      const held = await hold();
      const back = await board.away();
      const started = start(held);
      await sleep(3 * TTL_MS);
      assert.deepEqual([started.isReady, started.end], [false, undefined]);
      await back();
      await waitUntil('it is ready', () => started.isReady);
      await sleep(TTL_MS);
      assert.equal((await leaseOf(held.provider, held.key)).nonce, 'taken');
      started.begin(held.task, nobody);
      await waitUntil(
        'it renews',
        async () => (await leaseOf(held.provider, held.key)).nonce !== 'taken',
      );
    });

    it('can be stopped before it is ready', async () => {
      const held = await hold();
      const started = start(held);
      await started.stop();
      assert.equal(started.end, undefined);
      assert.equal((await leaseOf(held.provider, held.key)).nonce, 'taken');
    });

    it('renews again and again, and tells since when', async () => {
      const held = await hold();
      const { provider, key, task } = held;
      let news = 0;
      const renewals = await begin(held, task, () => news++);
      const nonces = new Set<string>();
      await waitUntil('it renews', async () => {
        nonces.add((await leaseOf(provider, key)).nonce);
        return nonces.size > 3;
      });
      const { hold: now } = renewals.state;
      assert.ok((now.confirmed?.monotonicMs ?? 0) > systemClock.monotonicMs() - TTL_MS);
      assert.ok((now.confirmed?.monotonicMs ?? 0) <= systemClock.monotonicMs());
      assert.ok(news > 0);
      assert.equal(renewals.end, undefined);
      const { nonce: _, ...lease } = await leaseOf(provider, key);
      assert.deepEqual(lease, { v: 1, term: 1, holder: HOLDER, incarnation: 1, released: false });
    });

    it('renews nothing that is not permitted, and goes on when it is', async () => {
      const held = await hold();
      const { provider, key, task } = held;
      const renewals = await begin(held, {
        ...{ ...task, permittedUntilMs: systemClock.monotonicMs() },
      });
      await sleep(3 * TTL_MS);
      assert.equal((await leaseOf(provider, key)).nonce, 'taken');
      assert.deepEqual(renewals.state.hold.attempts, []);
      renewals.permit(systemClock.monotonicMs() + 60_000);
      await waitUntil('it renews', async () => (await leaseOf(provider, key)).nonce !== 'taken');
    });

    it('changes nothing once it was stopped, and what it knew at last can be compared', async () => {
      const held = await hold();
      const { provider, key } = held;
      const renewals = await begin(held);
      await waitUntil('it renews', async () => (await leaseOf(provider, key)).nonce !== 'taken');
      // Until its answer has come, an attempt may be under way.
      await waitUntil('it knows', () => renewals.state.hold.attempts.length === 0);
      await renewals.stop();
      const { hold: last, place } = renewals.state;
      assert.deepEqual(last.attempts, []);
      const found = await provider.get(key, options);
      await sleep(2 * TTL_MS);
      assert.deepEqual(await provider.get(key, options), found);
      assert.deepEqual(renewals.state, { hold: last, place });
      assert.equal(await provider.revisionAt(place), found?.revision);
    });

    it('ends when somebody else has written the record', async () => {
      const held = await hold();
      const { provider, key } = held;
      const renewals = await begin(held);
      const other = { ...(await leaseOf(provider, key)), term: 2, nonce: 'another' };
      await write(provider, key, other);
      await waitUntil('it has ended', () => renewals.end !== undefined);
      const reason = 'the lease record changed: term 2 has it';
      assert.deepEqual(renewals.end, { kind: 'lost', reason });
      await sleep(2 * TTL_MS);
      assert.equal((await leaseOf(provider, key)).nonce, 'another');
    });

    it('tells of attempts that nobody answers, and tries again', async () => {
      const renewals = await begin(await hold());
      const back = await board.away();
      await waitUntil('it has tried twice', () => renewals.state.hold.attempts.length > 1);
      await waitUntil('it says why', () => renewals.state.trouble !== undefined);
      assert.match(renewals.state.trouble ?? '', /did not answer/);
      assert.equal(renewals.end, undefined);
      await back();
      await waitUntil('it knows', () => renewals.state.hold.attempts.length === 0);
    });
  });
}

const nobody = (): void => undefined;

async function take(provider: StateProvider): Promise<Pick<Held, 'key' | 'target' | 'task'>> {
  const replicaSetUuid = randomUUID();
  const key = providerKeys.lease(replicaSetUuid);
  const wallMs = Date.now();
  const monotonicMs = systemClock.monotonicMs();
  const lease: Lease = {
    ...{ v: 1, term: 1, holder: HOLDER, incarnation: 1, nonce: 'taken', released: false },
  };
  const revision = await write(provider, key, lease);
  const hold = {
    ...{ term: 1, incarnation: 1, revision, confirmed: { monotonicMs, wallMs }, attempts: [] },
  };
  const place = await provider.placeOf(revision);
  const task: RenewalTask = {
    ...{ state: { hold, place }, permittedUntilMs: monotonicMs + 60_000 },
  };
  const target = { replicaSetUuid, holder: HOLDER, ttlMs: TTL_MS };
  return { key, target, task };
}

async function write(provider: StateProvider, key: string, lease: Lease): Promise<number> {
  const outcome = await provider.transact(
    { compare: [], writes: [{ kind: 'put', key, value: JSON.stringify(lease) }] },
    options,
  );
  assert.ok(outcome.kind === 'applied');
  return outcome.revision;
}

async function leaseOf(provider: StateProvider, key: string): Promise<Lease> {
  const entry = await provider.get(key, options);
  return leaseSchema.parse(JSON.parse(entry?.value ?? ''));
}
