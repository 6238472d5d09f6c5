import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterBugs } from './cluster-bugs.ts';
import { clusterFocuses } from './cluster-focuses.ts';
import { clusterScenario } from './cluster-scenario.ts';
import { knownSeeds } from './known-seeds.ts';
import { explainFailures, findBug, runSeeds } from './scenario.ts';

describe('clusters under faults', () => {
  it('never have two writable leaders, lose nothing acknowledged, are linearizable, and become whole again', async () => {
    const scenario = clusterScenario();
    const run = await runSeeds(scenario, 1, 40);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    // Faults that reach nothing would prove nothing.
    const least = {
      done: 2000,
      unknown: 40,
      reads: 500,
      leaderships: 100,
      overtaken: 5,
      histories: 200,
    };
    const rare = Object.entries(least).filter(([name, count]) => (run.counts[name] ?? 0) < count);
    assert.deepEqual(
      [rare, run.counts['undecided histories']],
      [[], 0],
      JSON.stringify(run.counts),
    );
  });

  for (const focus of clusterFocuses) {
    it(`are well under faults of few kinds: ${focus.name}`, async () => {
      const scenario = clusterScenario({ focus });
      const run = await runSeeds(scenario, 1, 5);
      assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    });
  }

  const all = [clusterScenario(), ...clusterFocuses.map((focus) => clusterScenario({ focus }))];
  const known = all.flatMap((scenario) =>
    knownSeeds(scenario.name).map((seed) => ({ scenario, ...seed })),
  );
  for (const { scenario, seed, reason } of known) {
    it(`are well with seed ${seed} of ${scenario.name}: ${reason}`, async () => {
      const run = await runSeeds(scenario, seed, 1);
      assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    });
  }

  // The first seeds are near those that find it, so that this takes no longer than it must.
  for (const bug of clusterBugs) {
    it(`are found out with the planted bug "${bug.name}": ${bug.rule}`, async () => {
      const scenario = clusterScenario({ bug, ...(bug.focus && { focus: bug.focus }) });
      assert.ok(await findBug(scenario, bug.finding, { from: bug.from, most: 60 }));
    });
  }

  it('run the same from the same seed', async () => {
    const scenario = clusterScenario();
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
  });
});
