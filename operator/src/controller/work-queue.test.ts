import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom, SimulatedClock } from '@tonearm/runtime/testing';
import { WorkQueue } from './work-queue.ts';

const forever = new AbortController().signal;

describe('WorkQueue', () => {
  it('gives a key once, however often it was added', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    assert.deepEqual([await queue.take(forever), await queue.take(forever)], ['a', 'b']);
    assert.deepEqual(queue.sizes(), { ready: 0, delayed: 0, inWork: 2 });
  });

  it('gives a key again after its work, when it was added meanwhile', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    queue.add('a');
    assert.equal(await queue.take(forever), 'a');
    queue.add('a');
    queue.add('a');
    assert.deepEqual(queue.sizes(), { ready: 0, delayed: 0, inWork: 1 });
    queue.done('a');
    assert.equal(await queue.take(forever), 'a');
    queue.done('a');
    assert.deepEqual(queue.sizes(), { ready: 0, delayed: 0, inWork: 0 });
  });

  it('puts what users wait for before everything else', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    queue.add('listed-1', 'low');
    queue.add('listed-2', 'low');
    queue.add('changed');
    queue.add('listed-2');
    const order = [await queue.take(forever), await queue.take(forever), await queue.take(forever)];
    assert.deepEqual(order, ['changed', 'listed-2', 'listed-1']);
  });

  it('keeps the higher priority of a key that is added while it is worked on', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    queue.add('a');
    await queue.take(forever);
    queue.add('a');
    queue.add('a', 'low');
    queue.add('b', 'low');
    queue.done('a');
    assert.equal(await queue.take(forever), 'a');
  });

  it('wakes a waiting worker', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    const taken = queue.take(forever);
    queue.add('a');
    assert.equal(await taken, 'a');
  });

  it('gives a delayed key at the earliest of its times', async () => {
    const clock = new SimulatedClock();
    const queue = new WorkQueue(clock);
    const taken = queue.take(forever).then((key) => ({ key, atMs: clock.monotonicMs() }));
    queue.addAfter('a', 5000);
    queue.addAfter('a', 2000);
    queue.addAfter('a', 9000);
    await clock.advance(10_000);
    assert.deepEqual(await taken, { key: 'a', atMs: 2000 });
    assert.deepEqual(queue.sizes(), { ready: 0, delayed: 0, inWork: 1 });
  });

  it('waits twice as long after each failure, at most a minute, until a success', async () => {
    const clock = new SimulatedClock();
    const queue = new WorkQueue(clock);
    const delaysMs: number[] = [];
    queue.add('a');
    let key = await queue.take(forever);
    for (let round = 0; round < 17; round++) {
      queue.done(key);
      if (round === 15) queue.forget(key);
      queue.retry(key);
      const beforeMs = clock.monotonicMs();
      const taken = queue.take(forever);
      await clock.next();
      key = await taken;
      delaysMs.push(clock.monotonicMs() - beforeMs);
    }
    assert.deepEqual(delaysMs, EXPECTED_DELAYS_MS);
  });

  it('stops waiting when the signal aborts', async () => {
    const queue = new WorkQueue(new SimulatedClock());
    const stop = new AbortController();
    const taken = queue.take(stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(taken, new Error('enough'));
  });

  it('never gives a key to two workers and loses none, over many seeds', async () => {
    for (let seed = 0; seed < 50; seed++) await runWorkers(seed);
  });
});

const EXPECTED_DELAYS_MS = [
  ...[5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 40_960],
  60_000,
  ...[5, 10],
];

/** Each key counts changes; a worker reads the count at its start and must have seen the last at the end. */
async function runWorkers(seed: number): Promise<void> {
  const clock = new SimulatedClock();
  const random = new SeededRandom(seed);
  const queue = new WorkQueue(clock);
  const changes = new Map<string, number>();
  const seen = new Map<string, number>();
  const inWork = new Set<string>();
  const stop = new AbortController();

  async function work(): Promise<void> {
    for (;;) {
      const key = await queue.take(stop.signal);
      assert.equal(inWork.has(key), false, `seed ${seed}: two workers on ${key}`);
      inWork.add(key);
      const count = changes.get(key) ?? 0;
      await clock.sleep(random.integer(30));
      inWork.delete(key);
      if (random.chance(0.2)) {
        queue.retry(key);
      } else {
        seen.set(key, count);
        queue.forget(key);
      }
      queue.done(key);
    }
  }

  const workers = [work(), work(), work()];
  for (let step = 0; step < 60; step++) {
    const key = random.pick(['a', 'b', 'c']);
    changes.set(key, (changes.get(key) ?? 0) + 1);
    if (random.chance(0.3)) queue.addAfter(key, random.integer(50));
    else queue.add(key, random.pick(['normal', 'low']));
    await clock.advance(random.integer(20));
  }
  await clock.advance(300_000);
  stop.abort(new Error('enough'));
  const outcomes = await Promise.allSettled(workers);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === 'rejected' && String(outcome.reason)),
    ['Error: enough', 'Error: enough', 'Error: enough'],
  );
  assert.deepEqual([...seen].sort(), [...changes].sort(), `seed ${seed}`);
}
