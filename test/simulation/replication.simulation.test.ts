import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { replicationScenario } from './replication.ts';
import { type ReplicationBug, replicationBugs } from './replication-bugs.ts';
import { explainFailures, runSeeds } from './scenario.ts';

describe('a replica set under faults', () => {
  it('loses no acknowledged row, and becomes one again', async () => {
    const scenario = replicationScenario();
    const run = await runSeeds(scenario, 1, 14);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    // Faults that reach nothing would prove nothing.
    const least = {
      ...{ acknowledged: 3000, unknown: 5, terms: 20, cutRows: 1 },
      ...{ snapshots: 100, joins: 5, trims: 50, ended: 10, late: 100 },
    };
    for (const [name, count] of Object.entries(least)) {
      assert.ok((run.counts[name] ?? 0) >= count, `${name}: ${JSON.stringify(run.counts)}`);
    }
  });

  it('loses no synchronous row with a minority for good, and no local one that a later leader had', async () => {
    const scenario = replicationScenario({ acks: true });
    const run = await runSeeds(scenario, 1, 14);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    const least = { acknowledged: 2000, local: 800, lost: 1, terms: 20, cutRows: 1 };
    for (const [name, count] of Object.entries(least)) {
      assert.ok((run.counts[name] ?? 0) >= count, `${name}: ${JSON.stringify(run.counts)}`);
    }
  });

  it('loses no acknowledged row of a disk space either', async () => {
    const scenario = replicationScenario({ engine: 'disk' });
    const run = await runSeeds(scenario, 1, 8);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    for (const [name, count] of Object.entries({ cuts: 1, joins: 3, ended: 5 })) {
      assert.ok((run.counts[name] ?? 0) >= count, `${name}: ${JSON.stringify(run.counts)}`);
    }
  });

  // The first seeds are near those that find it, so that this takes no longer than it must.
  const findings: Readonly<Record<ReplicationBug, readonly [number, RegExp]>> = {
    'acknowledged-before-the-log': [1, /misses acknowledged rows/],
    'segment-reused': [1, /did not start: .*The log is damaged: log/],
    'snapshot-before-its-end': [40, /with which it ends/],
    'join-misses-rows': [1, /different rows|misses acknowledged rows/],
    'term-continued': [4, /different rows|misses acknowledged rows/],
    'lower-term-rows': [130, /which no leader of \d+ gave|misses acknowledged rows/],
    'position-before-the-promise': [1, /before its promise of \d+ was durable/],
    'acknowledged-by-a-minority': [6, /misses acknowledged rows/],
    'cut-rows-not-kept': [1, /is lost, and not in lost/],
  };
  const ofAcks: readonly ReplicationBug[] = ['acknowledged-by-a-minority', 'cut-rows-not-kept'];
  for (const bug of replicationBugs) {
    it(`is found out with the planted bug "${bug}"`, async () => {
      const [from, finding] = findings[bug];
      const scenario = replicationScenario({ bug, acks: ofAcks.includes(bug) });
      const found: string[] = [];
      for (let seed = from; seed < from + 60 && found.length === 0; seed++) {
        const { violations } = await scenario.run(seed);
        found.push(...violations.filter((violation) => finding.test(violation)));
      }
      assert.notDeepEqual(found, []);
    });
  }

  it('is found out when it acknowledges before the removal of a laggard is stored', async () => {
    const scenario = replicationScenario({
      required: (inSync, held) => (held.length > 0 ? held : inSync),
    });
    const { failed } = await runSeeds(scenario, 1, 60, { stopAtFirst: true });
    assert.match(failed[0]?.violations[0] ?? '', /misses acknowledged rows/);
  });

  it('runs the same from the same seed', async () => {
    const scenario = replicationScenario();
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
    const ofAcks = replicationScenario({ acks: true });
    assert.deepEqual(await ofAcks.run(7), await ofAcks.run(7));
  });
});
