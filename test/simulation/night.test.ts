import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NightOptions, playNight } from './night.ts';
import type { Scenario } from './scenario.ts';

const scenarioOf = (name: string): Scenario => ({
  name,
  run: () => Promise.reject(new Error('it is played by others')),
});
const scenarios = [scenarioOf('calm'), scenarioOf('wild')];

interface Played {
  readonly isWell: boolean;
  readonly tasks: readonly string[];
  readonly printed: readonly string[];
}

/** Every seed takes four seconds; `wild` fails with seed 2. */
async function night(options: Partial<NightOptions>, stopAfter = 1000): Promise<Played> {
  const tasks: string[] = [];
  const printed: string[] = [];
  const stopped = new AbortController();
  let now = 0;
  const isWell = await playNight(scenarios, {
    ...{ from: 1, jobs: 1, nowMs: () => now, signal: stopped.signal },
    print: (line) => printed.push(line),
    play: async ({ subject, seed }) => {
      tasks.push(`${subject} ${seed}`);
      now += 4000;
      if (tasks.length === stopAfter) stopped.abort();
      const violations = subject === 'wild' && seed === 2 ? ['two lead', 'and more'] : [];
      return { violations, counts: { writes: seed }, digest: '' };
    },
    ...options,
  });
  return { isWell, tasks, printed };
}

describe('a night of simulation', () => {
  it('plays each seed of every scenario, tells how far it is, and what failed', async () => {
    assert.deepEqual(await night({ seeds: 2 }), {
      isWell: false,
      tasks: ['calm 1', 'wild 1', 'calm 2', 'wild 2'],
      printed: [
        'after 12 s: 3 of 4 seeds, 0.3 a second, 0 failed',
        'FAILED wild seed 2: two lead',
        'calm: 2 seeds, 0 failed; writes 3',
        'wild: 2 seeds, 1 failed; writes 3',
        'FAILED wild seed 2: two lead',
        '  replay: npm run simulate -- --scenario=wild --seed=2',
        '4 seeds, 1 failed',
      ],
    });
  });

  it('ends when its time is up', async () => {
    const { tasks, printed } = await night({ from: 7, forMs: 10_000 });
    assert.deepEqual(tasks, ['calm 7', 'wild 7', 'calm 8']);
    assert.equal(printed.at(-1), '3 seeds, 0 failed');
  });

  it('tells what it has found when it is stopped', async () => {
    const { tasks, printed } = await night({}, 4);
    assert.deepEqual(tasks, ['calm 1', 'wild 1', 'calm 2', 'wild 2']);
    assert.equal(printed.at(-1), '3 seeds, 0 failed');
  });

  it('counts what it does not show', async () => {
    const everything = { violations: ['wrong'], counts: {}, digest: '' };
    const { isWell, printed } = await night({ seeds: 150, play: async () => everything });
    assert.equal(isWell, false);
    assert.deepEqual(printed.slice(-2), ['… and 100 more', '300 seeds, 300 failed']);
  });
});
