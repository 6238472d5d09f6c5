import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { knownSeeds } from './known-seeds.ts';
import { type MembershipBug, membershipBugs } from './membership-bugs.ts';
import { membershipScenario } from './membership-scenario.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('gossip under faults', () => {
  const scenario = membershipScenario();

  it('thinks no worse of who runs, buries who does not, and agrees on the truth in the end', async () => {
    const run = await runSeeds(scenario, 1, 6);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    // Faults that reach nothing would prove nothing.
    const { killed = 0, suspect = 0, dead = 0, left = 0, alive = 0 } = run.counts;
    const isBusy = killed > 20 && suspect > 300 && dead > 150 && left > 20 && alive > 800;
    assert.ok(isBusy, JSON.stringify(run.counts));
  });

  for (const { seed, reason } of knownSeeds(scenario.name)) {
    it(`is well with seed ${seed}: ${reason}`, async () => {
      const run = await runSeeds(scenario, seed, 1);
      assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    });
  }

  const findings: Readonly<Record<MembershipBug, RegExp>> = {
    'no-refutation': /all faults have ended: .* thinks of/,
    'old-incarnation': /(which runs and is reached, for|thinks of .*:) (suspect|dead|left)/,
    'no-helpers': /which runs and is reached, for suspect/,
    'keeps-addresses': /(which runs and is reached, for|thinks of .*:) suspect/,
  };
  for (const bug of membershipBugs) {
    it(`is found out with the planted bug "${bug}"`, async () => {
      const { failed } = await runSeeds(membershipScenario(bug), 1, 10, { stopAtFirst: true });
      assert.match(failed[0]?.violations[0] ?? '', findings[bug]);
    });
  }

  it('runs the same from the same seed', async () => {
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
  });
});
