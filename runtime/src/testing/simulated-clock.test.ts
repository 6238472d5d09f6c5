import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from './simulated-clock.ts';

/** What happened in which order, and when: two chains of promises, one of them with many links. */
async function story(clock: SimulatedClock): Promise<readonly string[]> {
  const told: string[] = [];
  const tell = (what: string): void => void told.push(`${clock.monotonicMs()} ${what}`);
  void clock.sleep(10).then(async () => {
    for (let link = 0; link < 50; link++) await Promise.resolve();
    tell('the end of a long chain');
    await clock.sleep(0);
    tell('a sleep of no time');
  });
  void clock.sleep(10).then(() => tell('due at once, made later'));
  void clock.sleep(11).then(() => tell('later'));
  const given = new AbortController();
  const aborted = clock.sleep(1000, given.signal).catch(() => tell('woken early'));
  void clock.sleep(10.5).then(() => given.abort('enough'));
  while (await clock.next());
  await aborted;
  return told;
}

describe('a simulated clock', () => {
  for (const isAlone of [false, true]) {
    it(`moves only when nothing can run any more${isAlone ? ', with few turns of the event loop' : ''}`, async () => {
      assert.deepEqual(await story(new SimulatedClock({ isAlone })), [
        '10 the end of a long chain',
        '10 due at once, made later',
        '10 a sleep of no time',
        '10.5 woken early',
        '11 later',
      ]);
    });
  }

  it('takes a turn of the event loop now and then when it is alone', async () => {
    const clock = new SimulatedClock({ isAlone: true });
    let turns = 0;
    const count = (): void => {
      turns += 1;
      if (turns < 3) setImmediate(count);
    };
    setImmediate(count);
    for (let event = 0; event < 100; event++) {
      void clock.sleep(1);
      await clock.next();
    }
    assert.equal(turns, 3);
  });
});
