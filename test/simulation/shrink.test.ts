import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterBugs } from './cluster-bugs.ts';
import { clusterScenario } from './cluster-scenario.ts';
import { readScript, writeScript } from './cluster-script.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';

/** Fails as long as 3 and 7 are there, otherwise than without a 5. */
const scenario: Scenario = {
  name: 'numbers',
  run: async (_seed, script = '1 2 3 4 5 6 7 8 9') => {
    const numbers = script.split(' ');
    const isWrong = numbers.includes('3') && numbers.includes('7');
    const violations = numbers.includes('5')
      ? isWrong
        ? [`${numbers.length} ms: three and seven`]
        : []
      : ['no five'];
    return { violations, trace: [], counts: {}, script };
  },
  *smaller(script) {
    const numbers = script.split(' ');
    for (const one of numbers) yield numbers.filter((other) => other !== one).join(' ');
  },
};

describe('shrink', () => {
  it('leaves what the same failure needs', async () => {
    const shrunk = await shrink(scenario, 1, { runsMax: 100 });
    assert.deepEqual(
      [shrunk?.script, shrunk?.run.violations],
      ['3 5 7', ['3 ms: three and seven']],
    );
  });

  it('ends when it may run no more', async () => {
    assert.equal((await shrink(scenario, 1, { runsMax: 4 }))?.runs, 4);
  });

  it('has nothing to do with a run that is well', async () => {
    const well: Scenario = { ...scenario, run: (seed) => scenario.run(seed, '5') };
    assert.equal(await shrink(well, 1, { runsMax: 100 }), undefined);
  });

  it('plays a run again by its script, and makes it smaller', async () => {
    const bug = clusterBugs.find(({ name }) => name === 'forgetful-promise')!;
    const cluster = clusterScenario({ bug });
    const first = await cluster.run(1);
    const again = await cluster.run(1, first.script);
    assert.deepEqual([again.violations, again.trace], [first.violations, first.trace]);
    const shrunk = await shrink(cluster, 1, { runsMax: 30 });
    const { events } = readScript(shrunk?.script ?? '');
    assert.deepEqual([shrunk?.run.violations.length, events], [1, []]);
  });
});

describe('the script of a cluster', () => {
  it('is read as it was written', async () => {
    const { script = '' } = await clusterScenario().run(3);
    assert.equal(writeScript(readScript(script)), script);
  });

  it('refuses a fault that it cannot read', () => {
    const text =
      'sets=2 log=write spaces=sync clients=writers:1 network=1,3,0,0,0 for=10; 5 kill a1 soon 1';
    assert.throws(() => readScript(text), /"5 kill a1 soon 1"/);
  });
});
