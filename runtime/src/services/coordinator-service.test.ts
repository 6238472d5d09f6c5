import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topologySchema } from '../contract/cluster-config.ts';
import { type Appointment, providerKeys } from '../contract/provider-records.ts';
import { silentLogger } from '../foundation/logger.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedNetwork } from '../testing/simulated-peers.ts';
import { SimulatedStateProvider } from '../testing/simulated-state-provider.ts';
import { SimulatedStore } from '../testing/simulated-store.ts';
import { AutomaticChanges } from './automatic-changes.ts';
import { CoordinatorService } from './coordinator-service.ts';

const SET = '00000000-0000-4000-8000-0000000000aa';
const [A, B] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];

const TTL_MS = 1000;

const topology = topologySchema.parse({
  servers: Object.fromEntries(
    [A, B].map((uuid) => [
      uuid,
      { uri: `${uuid}:1`, http_uri: `${uuid}:2`, alias: uuid, replicaset_uuid: SET },
    ]),
  ) as unknown,
  replicasets: {
    [SET]: { alias: 'set', roles: ['failover-coordinator'], failover_priority: [A, B] },
  },
  failover: {
    ...{ mode: 'stateful', fencing_ttl: TTL_MS / 1000, enable_failover_suppressing: true },
    ...{ failover_suppress_threshold: 1, failover_suppress_timeout: 10 },
    state_provider: { kind: 'stateboard', uri: 'board:1', prefix: '/' },
  },
});

/** As timers of a real clock may, all of its end a little early. */
class EarlyClock extends SimulatedClock {
  override sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(delayMs > 1 ? delayMs - 0.5 : delayMs, signal);
  }
}

/** A coordinator, and two instances that promise whatever is asked; nobody ever holds a lease. */
function givenCoordinator(cookieHash?: string, clock = new SimulatedClock(), providerMs = 0) {
  const random = new SeededRandom(1);
  const store = new SimulatedStore();
  const network = new SimulatedNetwork({ clock, random });
  const position = { term: 0, sequence: 0 };
  for (const uuid of [A, B]) {
    const promise = async (body: unknown) => {
      const { term: promisedTerm } = body as { readonly term: number };
      return { position, promisedTerm, logIncarnation: 1 };
    };
    network.listen(`${uuid}:2`, new Map([['leadership.promise', promise]]));
  }
  const changes = new AutomaticChanges({ clock, logger: silentLogger });
  const coordinator = new CoordinatorService({
    identity: {
      ...{ v: 1, uuid: A, clusterUuid: SET, bootId: 'boot', incarnation: 1, logIncarnation: 1 },
    },
    ...{ clock, random, logger: silentLogger, peers: network.peersFor(A), changes },
    cookieHash,
    openProvider: () => {
      const provider = new SimulatedStateProvider({ store, clock, random });
      provider.faults.delayMs = providerMs;
      return provider;
    },
    onLockHeld: () => undefined,
    onFatal: (_name, error) => {
      throw error;
    },
  });
  const appointment = (): Appointment | undefined => {
    const entry = store.get(providerKeys.leader(SET));
    return entry === undefined ? undefined : (JSON.parse(entry.value) as Appointment);
  };
  const put = (key: string, record: object): void => {
    const value = JSON.stringify(record);
    store.transact({ compare: [], writes: [{ kind: 'put', key, value }] });
  };
  return { clock, changes, coordinator, appointment, store, put, network };
}

describe('AutomaticChanges', () => {
  it('keeps the coordinator from appointing while failover is paused [FO-60]', async () => {
    const { clock, changes, coordinator, appointment } = givenCoordinator();
    changes.pause(true);
    await coordinator.configure(topology);
    await clock.advance(20_000);
    assert.deepEqual([coordinator.active, appointment()], [true, undefined]);
    changes.pause(false);
    await clock.advance(1000);
    assert.equal(appointment()?.leader, A);
  });

  it('lets whom somebody asks for be appointed all the same [FO-60]', async () => {
    const { clock, changes, coordinator, appointment } = givenCoordinator();
    changes.pause(true);
    await coordinator.configure(topology);
    await clock.advance(5000);
    const body = { replicaSetUuid: SET, to: A, reason: 'asked for' };
    const promoted = coordinator.handlers().get('coordinator.promote')?.(body);
    await clock.advance(5000);
    assert.equal(appointment()?.leader, A);
    assert.deepEqual(await promoted, { uuid: A, term: 1 });
  });

  it('leaves a set alone whose leader changed too often, and says so [FO-61]', async () => {
    const { clock, changes, coordinator, appointment } = givenCoordinator();
    await coordinator.configure(topology);
    const term = (): number => appointment()?.term ?? 0;
    // Nobody takes the lease, so that there is a new term whenever it would have expired.
    await clock.advance(5000);
    const before = term();
    assert.ok(before > 1);
    for (const leader of [B, A, B]) changes.seen(SET, leader, topology.failover);
    await clock.advance(9000);
    assert.deepEqual([term(), changes.allows(SET)], [before, false]);
    assert.match(changes.issues()[0]?.message ?? '', /changed too often/);
    await clock.advance(5000);
    assert.deepEqual([term() > before, changes.issues()], [true, []]);
  });

  it('tells that it is paused, and forgets changes where suppressing is off', () => {
    const changes = new AutomaticChanges({ clock: new SimulatedClock(), logger: silentLogger });
    const failover = { ...topology.failover, enable_failover_suppressing: false };
    for (const leader of [A, B, A, B]) changes.seen(SET, leader, failover);
    assert.deepEqual([changes.allows(SET), changes.issues()], [true, []]);
    changes.pause(true);
    assert.equal(changes.allows(SET), false);
    assert.match(changes.issues()[0]?.message ?? '', /failover\/resume/);
  });
});

describe('the coordinator', () => {
  it('acts when a lease expires, also if its timer ended before', async () => {
    const { clock, coordinator, appointment } = givenCoordinator(undefined, new EarlyClock(), 2);
    await coordinator.configure(topology);
    const termsAtMs: number[] = [];
    for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
      const before = appointment()?.term;
      await clock.advance(10);
      if (appointment()?.term !== before) termsAtMs.push(nowMs);
    }
    const between = termsAtMs.slice(1).map((atMs, index) => atMs - (termsAtMs[index] ?? 0));
    const late = between.filter((ms) => ms > 1.1 * TTL_MS + 100);
    assert.deepEqual([between.length > 5, late], [true, []]);
  });

  const stored = { v: 1, sha256: 'one' };

  it('stores the hash of the cookie once, and names another cluster by it [FO-34]', async () => {
    const { clock, coordinator, store } = givenCoordinator('one');
    await coordinator.configure(topology);
    await clock.advance(2000);
    const entry = store.get(providerKeys.cookieHash);
    assert.deepEqual(JSON.parse(entry?.value ?? ''), stored);
    assert.deepEqual(coordinator.issues(), []);
  });

  for (const [isChecked, want] of [
    [true, /the cookie of this one was changed.*: curl .*"\/cookie-hash"/],
    [false, /^$/],
  ] as const) {
    it(`says that another cluster was there before, when asked to: ${isChecked} [FO-17] [FO-34]`, async () => {
      const { clock, coordinator, appointment, put } = givenCoordinator('two');
      put(providerKeys.cookieHash, stored);
      await coordinator.configure({
        ...topology,
        failover: { ...topology.failover, check_cookie_hash: isChecked },
      });
      await clock.advance(2000);
      assert.match(coordinator.issues()[0]?.message ?? '', want);
      assert.equal(appointment()?.leader, A);
    });
  }

  it('takes the place of a hash that was deleted', async () => {
    const { clock, coordinator, store, put } = givenCoordinator('two');
    put(providerKeys.cookieHash, stored);
    await coordinator.configure(topology);
    await clock.advance(2000);
    store.transact({ compare: [], writes: [{ kind: 'delete', key: providerKeys.cookieHash }] });
    await clock.advance(10_000);
    assert.deepEqual(coordinator.issues(), []);
    assert.match(store.get(providerKeys.cookieHash)?.value ?? '', /two/);
  });

  it('appoints another in place of a leader that lets its leases run out, though it can be reached', async () => {
    const { clock, coordinator, appointment, put } = givenCoordinator();
    const inSync = [A, B].map((uuid) => ({ uuid, incarnation: 1 }));
    put(providerKeys.leader(SET), { v: 1, term: 1, leader: A, inSync, reason: '' });
    const lease = { v: 1, term: 1, holder: A, incarnation: 1, nonce: 'x', released: false };
    put(providerKeys.lease(SET), lease);
    const failover = { ...topology.failover, enable_failover_suppressing: false };
    await coordinator.configure({ ...topology, failover });
    const leaders: string[] = [];
    for (let term = 2; term < 5; term++) {
      while (appointment()?.term !== term) await clock.advance(100);
      leaders.push(appointment()?.leader ?? '');
    }
    assert.deepEqual(leaders, [B, A, B]);
  });

  it('takes the lock when it hears that it was released, and not before', async () => {
    const { clock, coordinator, put } = givenCoordinator();
    const lock = { v: 1, holder: B, incarnation: 1, released: false };
    put(providerKeys.lock, { ...lock, nonce: 'first' });
    await coordinator.configure(topology);
    for (let renewal = 0; renewal < 10; renewal++) {
      await clock.advance(TTL_MS * 0.9);
      put(providerKeys.lock, { ...lock, nonce: `${renewal}` });
    }
    await clock.advance(TTL_MS * 0.3);
    assert.equal(coordinator.active, false);
    put(providerKeys.lock, { ...lock, nonce: 'last', released: true });
    await clock.advance(10);
    assert.equal(coordinator.active, true);
  });

  it('judges leases by what it heard while another had the lock', async () => {
    const { clock, coordinator, appointment, put } = givenCoordinator();
    const inSync = [A, B].map((uuid) => ({ uuid, incarnation: 1 }));
    put(providerKeys.leader(SET), { v: 1, term: 1, leader: B, inSync, reason: '' });
    const record = { v: 1, holder: B, incarnation: 1, nonce: 'x', released: false };
    put(providerKeys.lease(SET), { ...record, term: 1 });
    put(providerKeys.lock, record);
    await coordinator.configure(topology);
    // Both are free after 1.1 seconds.
    await clock.advance(1050);
    assert.deepEqual([coordinator.active, appointment()?.term], [false, 1]);
    await clock.advance(800);
    assert.deepEqual([coordinator.active, appointment()?.leader], [true, A]);
  });

  for (const state of ['OperationError', 'ConfiguringRoles'] as const) {
    it(`has an unhealthy leader hand over once it has heard of ${state}`, async () => {
      const { clock, coordinator, put, network } = givenCoordinator();
      const inSync = [A, B].map((uuid) => ({ uuid, incarnation: 1 }));
      put(providerKeys.leader(SET), { v: 1, term: 1, leader: B, inSync, reason: '' });
      const states = new Map<string, string>();
      const heardMs: number[] = [];
      let askedMs: number | undefined;
      for (const uuid of [A, B]) {
        const status = async () => {
          const said = states.get(uuid) ?? 'RolesConfigured';
          if (said === state) heardMs.push(clock.monotonicMs());
          return { state: said, error: null, config: { version: 1 } };
        };
        const handover = async () => {
          askedMs ??= clock.monotonicMs();
          return {};
        };
        network.listen(
          `${uuid}:2`,
          new Map<string, () => Promise<unknown>>([
            ['status', status],
            ['leadership.handover', handover],
          ]),
        );
      }
      await coordinator.configure(topology);
      for (let renewal = 0; renewal < 100; renewal++) {
        // Past the immunity of a new leader.
        if (renewal === 41) states.set(B, state);
        const lease = { v: 1, term: 1, holder: B, incarnation: 1, released: false };
        put(providerKeys.lease(SET), { ...lease, nonce: `${renewal}` });
        await clock.advance(TTL_MS / 2);
      }
      const [firstMs = Number.NaN] = heardMs;
      const patienceMs = state === 'ConfiguringRoles' ? 2000 + TTL_MS : 0;
      const lateMs = (askedMs ?? Number.NaN) - firstMs - patienceMs;
      assert.ok(lateMs < 100, `${lateMs} ms late`);
    });
  }

  it('does nothing where another cluster is, and says so [FO-34]', async () => {
    const { clock, coordinator, store, appointment, put } = givenCoordinator('one');
    put(providerKeys.identity, { v: 1, clusterUuid: A });
    await coordinator.configure(topology);
    await clock.advance(2000);
    assert.match(coordinator.issues()[0]?.message ?? '', /another cluster: no leader is appointed/);
    assert.deepEqual([appointment(), store.get(providerKeys.cookieHash)], [undefined, undefined]);
    store.transact({ compare: [], writes: [{ kind: 'delete', key: providerKeys.identity }] });
    await clock.advance(10_000);
    assert.deepEqual([appointment()?.leader, coordinator.issues()], [A, []]);
  });
});
