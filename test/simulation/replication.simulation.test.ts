import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { replicationScenario } from './replication.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('a replica set under faults', () => {
  it('loses no acknowledged row, and becomes one again', async () => {
    const scenario = replicationScenario();
    const run = await runSeeds(scenario, 1, 14);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    // Faults that reach nothing would prove nothing.
    const { acknowledged = 0, unknown = 0, terms = 0, cutRows = 0 } = run.counts;
    const isBusy = acknowledged > 1000 && unknown > 5 && terms > 12 && cutRows > 0;
    assert.ok(isBusy, JSON.stringify(run.counts));
  });

  it('is found out when it acknowledges before the removal of a laggard is stored', async () => {
    const scenario = replicationScenario({
      required: (inSync, held) => (held.length > 0 ? held : inSync),
    });
    const { failed } = await runSeeds(scenario, 20, 60, { stopAtFirst: true });
    assert.match(failed[0]?.violations[0] ?? '', /misses acknowledged rows/);
  });

  it('runs the same from the same seed', async () => {
    const scenario = replicationScenario();
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
  });
});
