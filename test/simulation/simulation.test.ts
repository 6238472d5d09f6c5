/**
 * A sample of every scenario, seeds that once failed, and every planted bug; all of them at once in a few processes.
 *
 * `npm run simulate -- --scenario=NAME --seed=N` plays a seed again; `--runs=N` looks for new ones.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, describe, it } from 'node:test';
import { knownSeeds } from './known-seeds.ts';
import { plantedBugs } from './planted-bugs.ts';
import { sampledSeeds } from './sampled-seeds.ts';
import { explainFailures, findBug, runSeeds, type Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { SeedPool } from './seed-pool.ts';

const JOBS = Math.min(4, availableParallelism());
/** Within so many, from its own first one on. Those are near seeds that find it, so that this takes no longer than it must. */
const SEEDS_FOR_A_BUG = 60;

describe('the simulation', { concurrency: 1000 }, () => {
  const pool = new SeedPool({ jobs: JOBS });
  after(() => pool.close());

  for (const { scenario: name, shows, seeds, least = {} } of sampledSeeds) {
    it(`${name}: ${shows}`, async () => {
      const { failed, counts } = await runSeeds(pool.subject(name), 1, seeds, JOBS);
      assert.equal(failed.length, 0, explainFailures(scenarioNamed(name), failed));
      const rare = Object.entries(least).filter(([what, count]) => (counts[what] ?? 0) < count);
      assert.deepEqual(rare, [], JSON.stringify(counts));
      assert.equal(counts['undecided histories'] ?? 0, 0);
    });
  }

  it('plays some of every scenario, and 300 whose histories must be linearizable', () => {
    const names = sampledSeeds.map(({ scenario }) => scenario);
    assert.deepEqual(names.toSorted(), scenarios.map(({ name }) => name).toSorted());
    const ofClusters = sampledSeeds.filter(({ scenario }) => /^(cluster|raft)/.test(scenario));
    assert.ok(ofClusters.reduce((sum, { seeds }) => sum + seeds, 0) >= 300);
  });

  for (const { scenario: name, seed, reason } of knownSeeds()) {
    it(`${name} is well with seed ${seed}: ${reason}`, async () => {
      const { failed } = await runSeeds(pool.subject(name), seed, 1);
      assert.equal(failed.length, 0, explainFailures(scenarioNamed(name), failed));
    });
  }

  for (const { name, rule, from, finding } of plantedBugs) {
    it(`finds out the planted bug "${name}"${rule === undefined ? '' : `: ${rule}`}`, async () => {
      const found = await findBug(pool.subject(name), finding, { from, most: SEEDS_FOR_A_BUG });
      assert.ok(found, `${SEEDS_FOR_A_BUG} seeds from ${from} on do not find it`);
    });
  }

  for (const { name } of scenarios) {
    it(`${name} runs the same from the same seed, in whatever process`, async () => {
      const task = { subject: name, seed: 7 };
      const [first, second] = await Promise.all([pool.play(task), pool.play(task)]);
      assert.deepEqual(first, second);
    });
  }
});

function scenarioNamed(wanted: string): Scenario {
  const found = scenarios.find(({ name }) => name === wanted);
  assert.ok(found, `there is no scenario "${wanted}"`);
  return found;
}
