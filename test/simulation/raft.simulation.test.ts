import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterScenario, raftFocuses } from './cluster-scenario.ts';
import { knownSeeds } from './known-seeds.ts';
import type { RaftBug } from './raft-bugs.ts';
import { explainFailures, runSeeds } from './scenario.ts';

function scenarioOf(name: string, bug?: RaftBug): ReturnType<typeof clusterScenario> {
  const focus = raftFocuses.find((other) => other.name === name);
  return clusterScenario({ ...(focus && { focus }), ...(bug && { bug }) });
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
  const findings: readonly [RaftBug, string, number, RegExp][] = [
    ['forgetful-vote', 'raft', 1, /before that was stored|voted twice/],
    ['votes-for-shorter-log', 'raft', 4, /misses acknowledged rows|longer log|acknowledged row/],
    ['raft-deadline-from-answer', 'raft-cuts', 10, /two are writable/],
  ];
  for (const [bug, name, from, finding] of findings) {
    it(`are found out with the planted bug "${bug}"`, async () => {
      const { failed } = await runSeeds(scenarioOf(name, bug), from, 60, { stopAtFirst: true });
      assert.match(failed[0]?.violations[0] ?? '', finding);
    });
  }
});
