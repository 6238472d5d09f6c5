import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Clock, silentLogger } from '@tonearm/runtime/foundation';
import { SeededRandom, SimulatedClock } from '@tonearm/runtime/testing';
import type { Lease } from '../api/kube-object.ts';
import {
  failedStatus,
  type ScriptedAnswer,
  ScriptedTransport,
} from '../testing/scripted-transport.ts';
import { KubeClient } from './kube-client.ts';
import type { TransportRequest } from './kube-transport.ts';
import { LeaderElector, microTime } from './leader-elector.ts';
import { RequestLimiter } from './request-limiter.ts';

describe('LeaderElector', () => {
  it('lets one lead, and writes only as often as the lease needs', async () => {
    const world = new World();
    const one = world.start('one');
    const two = world.start('two');
    await world.clock.advance(60_000);
    assert.deepEqual([one.elector.isLeading(), two.elector.isLeading()], [true, false]);
    assert.equal(world.writes.length, 13);
    assert.deepEqual(new Set(world.writes), new Set(['one']));
    await world.stop([one, two]);
  });

  it('releases at its end, and the next need not wait for the lease to expire', async () => {
    const world = new World();
    const one = world.start('one');
    const two = world.start('two');
    await world.clock.advance(7000);
    await world.stop([one]);
    assert.equal(world.holder(), '');
    await world.clock.advance(3000);
    assert.equal(two.elector.isLeading(), true);
    assert.equal(world.transitions(), 1);
    await world.stop([two]);
  });

  it('need not wait for an earlier process of its own pod', async () => {
    const world = new World();
    const killed = world.start('pod-a_1');
    await world.clock.advance(7000);
    world.unreachableFor.add('pod-a_1');
    const [next, other] = [world.start('pod-a_2', { pod: 'pod-a_' }), world.start('pod-b_1')];
    await world.clock.advance(100);
    assert.deepEqual([next.elector.isLeading(), other.elector.isLeading()], [true, false]);
    assert.equal(world.transitions(), 1);
    await world.stop([killed, next, other]);
  });

  it('waits for the processes of other pods, also of one whose name begins like its own', async () => {
    const world = new World();
    const killed = world.start('pod-ab_1');
    await world.clock.advance(7000);
    world.unreachableFor.add('pod-ab_1');
    const next = world.start('pod-a_2', { pod: 'pod-a_' });
    await world.clock.advance(10_000);
    assert.equal(next.elector.isLeading(), false);
    await world.clock.advance(10_000);
    assert.equal(next.elector.isLeading(), true);
    await world.stop([killed, next]);
  });

  it('stops leading before another may begin, when the API server is away for it alone', async () => {
    const world = new World();
    const one = world.start('one');
    await world.clock.advance(1000);
    const two = world.start('two');
    world.unreachableFor.add('one');
    await world.clock.advance(12_000);
    assert.deepEqual([one.elector.isLeading(), two.elector.isLeading()], [false, false]);
    await world.clock.advance(8000);
    assert.deepEqual([one.elector.isLeading(), two.elector.isLeading()], [false, true]);
    assert.deepEqual(world.leading, ['two']);
    await world.stop([one, two]);
  });

  it('outlives an outage that is shorter than the deadline', async () => {
    const world = new World();
    const one = world.start('one');
    await world.clock.advance(1000);
    world.unreachableFor.add('one');
    await world.clock.advance(7000);
    world.unreachableFor.clear();
    await world.clock.advance(30_000);
    assert.deepEqual(world.terms, ['one']);
    await world.stop([one]);
  });

  it('steps down at once when another holds the lease', async () => {
    const world = new World();
    const one = world.start('one');
    await world.clock.advance(1000);
    world.seize('three');
    await world.clock.advance(6000);
    assert.equal(one.elector.isLeading(), false);
    assert.deepEqual(world.leading, []);
    await world.stop([one]);
  });

  it('keeps on leading when the answer to a renewal was lost', async () => {
    const world = new World();
    const one = world.start('one');
    await world.clock.advance(1000);
    world.loseAnswers = 1;
    await world.clock.advance(30_000);
    assert.deepEqual(world.terms, ['one']);
    await world.stop([one]);
  });

  it('is not leading after a freeze, even before any timer has run', async () => {
    const world = new World();
    const frozen = new FreezableClock(world.clock);
    const one = world.start('one', { clock: frozen });
    await world.clock.advance(1000);
    assert.equal(one.elector.isLeading(), true);
    frozen.skippedMs = 20_000;
    assert.equal(one.elector.isLeading(), false);
    await world.stop([one]);
  });

  it('never has two leaders, over many seeds of outages', async () => {
    for (let seed = 0; seed < 20; seed++) await runOutages(seed);
  });

  it('writes times with six digits', () => {
    assert.equal(microTime(new Date(1_700_000_000_123)), '2023-11-14T22:13:20.123000Z');
  });
});

async function runOutages(seed: number): Promise<void> {
  const world = new World();
  const random = new SeededRandom(seed);
  const all = ['one', 'two', 'three'].map((identity) => world.start(identity));
  for (let step = 0; step < 100; step++) {
    world.unreachableFor.clear();
    for (const { identity } of all) if (random.chance(0.4)) world.unreachableFor.add(identity);
    if (random.chance(0.2)) world.loseAnswers = 1 + random.integer(3);
    await world.clock.advance(random.integer(8000));
    const leading = all.filter(({ elector }) => elector.isLeading());
    assert.ok(leading.length <= 1, `seed ${seed}: ${leading.length} leaders`);
    assert.ok(world.leading.length <= 1, `seed ${seed}: leading ${world.leading.join()}`);
  }
  assert.ok(world.terms.length > 1, `seed ${seed}: leadership never moved`);
  await world.stop(all);
}

interface Candidate {
  readonly identity: string;
  readonly elector: LeaderElector;
  readonly stop: AbortController;
  readonly running: Promise<void>;
}

/** An API server with a single Lease, which some candidates may not reach. */
class World {
  readonly clock = new SimulatedClock();
  readonly writes: string[] = [];
  readonly leading: string[] = [];
  readonly terms: string[] = [];
  readonly unreachableFor = new Set<string>();
  lease: Lease | undefined;
  /** So many next writes are done and not answered. */
  loseAnswers = 0;
  #version = 0;

  start(
    identity: string,
    { pod, clock = this.clock }: { readonly pod?: string; readonly clock?: Clock } = {},
  ): Candidate {
    const transport = new ScriptedTransport((request) => this.#answer(identity, request));
    const limiter = new RequestLimiter(this.clock, { perSecond: 1000, burst: 1000 });
    const elector = new LeaderElector({
      kube: new KubeClient({ transport, limiter }),
      lease: { namespace: 'system', name: 'operator' },
      identity,
      pod,
      clock,
      random: new SeededRandom(identity.length),
      logger: silentLogger,
    });
    const stop = new AbortController();
    const running = elector.run(stop.signal, (signal) => this.#lead(identity, signal));
    return { identity, elector, stop, running };
  }

  async stop(candidates: readonly Candidate[]): Promise<void> {
    for (const { stop } of candidates) stop.abort(new Error('enough'));
    await Promise.all(candidates.map(({ running }) => running));
  }

  holder(): string | undefined {
    return this.lease?.spec.holderIdentity;
  }

  transitions(): number | undefined {
    return this.lease?.spec.leaseTransitions;
  }

  seize(identity: string): void {
    assert.ok(this.lease !== undefined);
    this.#store({ ...this.lease, spec: { ...this.lease.spec, holderIdentity: identity } });
  }

  async #lead(identity: string, signal: AbortSignal): Promise<void> {
    this.leading.push(identity);
    this.terms.push(identity);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.leading.splice(this.leading.indexOf(identity), 1);
  }

  #answer(identity: string, { method, body }: TransportRequest): ScriptedAnswer {
    if (this.unreachableFor.has(identity)) throw new Error('connection refused');
    if (method === 'GET') {
      return this.lease === undefined ? failedStatus(404, 'NotFound') : { body: this.lease };
    }
    const sent = JSON.parse(body ?? '') as Lease;
    if (method === 'POST' && this.lease !== undefined) return failedStatus(409, 'AlreadyExists');
    const expected = this.lease?.metadata.resourceVersion;
    if (method === 'PUT' && sent.metadata.resourceVersion !== expected) {
      return failedStatus(409, 'Conflict');
    }
    this.#store(sent);
    this.writes.push(identity);
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      throw new Error('socket hang up');
    }
    return { body: this.lease };
  }

  #store(lease: Lease): void {
    this.#version += 1;
    const metadata = { ...lease.metadata, resourceVersion: String(this.#version) };
    this.lease = { ...lease, metadata };
  }
}

/** Time that has passed without a timer being run, as after a suspend. */
class FreezableClock implements Clock {
  readonly #clock: Clock;
  skippedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs() + this.skippedMs;
  }

  wallTime(): Date {
    return this.#clock.wallTime();
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs, signal);
  }
}
