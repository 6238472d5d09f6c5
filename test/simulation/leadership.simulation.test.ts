import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LeadershipBug, leadershipScenario } from './leadership-scenario.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('leadership under faults', () => {
  it('never has two writable leaders, loses no acknowledged write, and recovers', async () => {
    const scenario = leadershipScenario();
    const result = await runSeeds(scenario, 1, 6);
    assert.deepEqual(result.failed, [], explainFailures(scenario, result));
  });

  const bugs: readonly LeadershipBug[] = ['deadline-from-answer', 'absent-is-expired'];
  for (const bug of bugs) {
    it(`finds the planted bug "${bug}"`, async () => {
      const { failed } = await runSeeds(leadershipScenario(bug), 15, 60, { stopAtFirst: true });
      assert.match(failed[0]?.violations[0] ?? '', /two writable leaders/);
    });
  }
});
