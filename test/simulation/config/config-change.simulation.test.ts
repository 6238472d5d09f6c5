/**
 * `npm run simulate -- --scenario=config --seed=N` replays a seed; `--runs=N` runs more of them.
 * A planted bug that the checker does not find within its seeds means that the checker does not count.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ParticipantRules,
  SAFE_RULES,
} from '../../../runtime/src/core/config/participant-state.ts';
import { explainFailures, runSeeds } from '../scenario.ts';
import { configScenario } from './config-scenario.ts';

const SEEDS = 100;
const SEEDS_FOR_A_BUG = 30;

describe('config changes under faults', () => {
  it('never commit different configs, leave no lock, and converge', async () => {
    const scenario = configScenario();
    const run = await runSeeds(scenario, 1, SEEDS);
    assert.equal(run.failed.length, 0, explainFailures(scenario, run));
    assert.ok((run.counts['committed'] ?? 0) > SEEDS, 'changes are committed in these runs');
    assert.ok((run.counts['kill'] ?? 0) > SEEDS, 'instances are killed in these runs');
  });

  it('give the same trace for the same seed', async () => {
    const scenario = configScenario();
    assert.deepEqual(await scenario.run(7), await scenario.run(7));
  });

  const bugs: readonly { readonly name: string; readonly rules: Partial<ParticipantRules> }[] = [
    { name: 'a commit before the decision is stored', rules: { storeBeforeInstall: false } },
    { name: 'an unlock because no decision was found', rules: { keepLockWhileUndecided: false } },
    { name: 'a late prepare accepted after an abort', rules: { refuseLatePrepare: false } },
  ];
  for (const { name, rules } of bugs) {
    it(`is found: ${name}`, async () => {
      const scenario = configScenario({ ...SAFE_RULES, ...rules });
      const run = await runSeeds(scenario, 1, SEEDS_FOR_A_BUG, { stopAtFirst: true });
      assert.equal(run.failed.length, 1, 'the checker finds it');
    });
  }
});
