import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { raftFocuses } from './cluster-focuses.ts';
import { clusterScenario } from './cluster-scenario.ts';
import { knownSeeds } from './known-seeds.ts';
import { raftBugs } from './raft-bugs.ts';
import { explainFailures, findBug, runSeeds } from './scenario.ts';

function scenarioOf(name: string): ReturnType<typeof clusterScenario> {
  const focus = raftFocuses.find((other) => other.name === name);
  return clusterScenario({ ...(focus && { focus }) });
}

describe('replica sets that elect their leaders, under faults', () => {
  for (const { name } of raftFocuses) {
    it(`never have two leaders, lose nothing acknowledged, and become whole again: ${name}`, async () => {
      const scenario = scenarioOf(name);
      const run = await runSeeds(scenario, 1, 4);
      assert.equal(run.failed.length, 0, explainFailures(scenario, run));
      const { done = 0, leaderships = 0, votes = 0 } = run.counts;
      assert.ok(done > 30 && leaderships > 4 && votes > 10, JSON.stringify(run.counts));
    });

    for (const { seed, reason } of knownSeeds(name)) {
      it(`are well with seed ${seed} of ${name}: ${reason}`, async () => {
        const scenario = scenarioOf(name);
        const run = await runSeeds(scenario, seed, 1);
        assert.equal(run.failed.length, 0, explainFailures(scenario, run));
      });
    }
  }

  // The first seeds are near those that find it, so that this takes no longer than it must.
  for (const bug of raftBugs) {
    it(`are found out with the planted bug "${bug.name}": ${bug.rule}`, async () => {
      const scenario = clusterScenario({ bug, ...(bug.focus && { focus: bug.focus }) });
      assert.ok(await findBug(scenario, bug.finding, { from: bug.from, most: 60 }));
    });
  }
});
