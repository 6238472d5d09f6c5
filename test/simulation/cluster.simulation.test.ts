import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClusterBug, clusterBugs } from './cluster-bugs.ts';
import { clusterFocuses, clusterScenario } from './cluster-scenario.ts';
import { knownSeeds } from './known-seeds.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('clusters under faults', () => {
  it('never have two writable leaders, lose nothing acknowledged, and become whole again', async () => {
    const scenario = clusterScenario();
    const run = await runSeeds(scenario, 1, 40);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    // Faults that reach nothing would prove nothing.
    const { done = 0, unknown = 0, reads = 0, leaderships = 0, overtaken = 0 } = run.counts;
    const isBusy = done > 2000 && unknown > 40 && reads > 500 && leaderships > 100 && overtaken > 5;
    assert.ok(isBusy, JSON.stringify(run.counts));
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
  const findings: Readonly<Record<ClusterBug, readonly [number, RegExp]>> = {
    'deadline-from-answer': [5, /two are writable/],
    'absent-is-expired': [1, /two are writable/],
    'acknowledge-early': [5, /misses acknowledged rows/],
    'forgetful-promise': [1, /answered before its promise/],
    'appoint-anyone': [
      1,
      /misses acknowledged rows|was appointed, in sync were|without ever having had a seat/,
    ],
  };
  for (const bug of clusterBugs) {
    it(`are found out with the planted bug "${bug}"`, async () => {
      const [from, finding] = findings[bug];
      const { failed } = await runSeeds(clusterScenario({ bug }), from, 60, { stopAtFirst: true });
      assert.match(failed[0]?.violations[0] ?? '', finding);
    });
  }

  it('are found out when nobody sees that a machine was suspended', async () => {
    const focus = clusterFocuses.find(({ name }) => name === 'cluster-suspend');
    const scenario = clusterScenario({ bug: 'suspension-unseen', ...(focus && { focus }) });
    const { failed } = await runSeeds(scenario, 1, 60, { stopAtFirst: true });
    assert.match(failed[0]?.violations[0] ?? '', /two are writable/);
  });

  it('are found out when a transaction does not compare the epoch of the store', async () => {
    const focus = clusterFocuses.find(({ name }) => name === 'cluster-forgets');
    const scenario = clusterScenario({ bug: 'epoch-not-compared', ...(focus && { focus }) });
    const { failed } = await runSeeds(scenario, 1, 60, { stopAtFirst: true });
    assert.match(failed[0]?.violations[0] ?? '', /went back from term/);
  });

  it('run the same from the same seed', async () => {
    const scenario = clusterScenario();
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
  });
});
