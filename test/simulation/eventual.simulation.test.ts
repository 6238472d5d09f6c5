import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type EventualBug, eventualBugs, eventualScenario } from './eventual-scenario.ts';
import { knownSeeds } from './known-seeds.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('a replica set led by membership, under faults', () => {
  it('agrees on one leader in the end, and loses nothing without a fault [FO-26] [FO-27]', async () => {
    const scenario = eventualScenario();
    const run = await runSeeds(scenario, 1, 6);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    const { done = 0, leaderships = 0, 'two lead': two = 0, 'rows lost': lost = 0 } = run.counts;
    // Faults that reach nothing would prove nothing.
    assert.ok(done > 3000 && leaderships > 20 && two > 1 && lost > 50, JSON.stringify(run.counts));
  });

  for (const { seed, reason } of knownSeeds('eventual')) {
    it(`is well with seed ${seed}: ${reason}`, async () => {
      const scenario = eventualScenario();
      const run = await runSeeds(scenario, seed, 1);
      assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    });
  }

  // The first seeds are near those that find it, so that this takes no longer than it must.
  const findings: Readonly<Record<EventualBug, readonly [number, RegExp]>> = {
    'one-slot': [9, /has two leaders|two logs differ/],
    'no-freeze': [5, /without a fault rows .* were lost/],
    'rows-dropped': [5, /are in no log and not lost/],
    'never-yields': [5, /later: 0 are writable/],
  };
  for (const bug of eventualBugs) {
    it(`finds the planted bug "${bug}"`, async () => {
      const [from, finding] = findings[bug];
      const { failed } = await runSeeds(eventualScenario(bug), from, 40, { stopAtFirst: true });
      assert.match(failed[0]?.violations[0] ?? '', finding);
    });
  }
});
