/** Bugs that are planted on purpose. A checker that does not find each of them within its seeds does not count. */
import {
  type ParticipantRules,
  SAFE_RULES,
} from '../../runtime/src/core/config/participant-state.ts';
import { clusterBugs } from '../simulation/cluster-bugs.ts';
import { clusterScenario } from '../simulation/cluster-scenario.ts';
import { configScenario } from '../simulation/config/config-scenario.ts';
import { leadershipScenario } from '../simulation/leadership-scenario.ts';
import { replicationScenario } from '../simulation/replication.ts';
import type { Scenario } from '../simulation/scenario.ts';

export interface PlantedBug {
  readonly name: string;
  readonly scenario: Scenario;
}

/** Within so many seeds, from any one on, a bug is found. */
export const SEEDS_FOR_A_BUG = 400;

const configBugs: readonly [string, Partial<ParticipantRules>][] = [
  ['commit before the decision is stored', { storeBeforeInstall: false }],
  ['unlock because no decision was found', { keepLockWhileUndecided: false }],
  ['late prepare accepted after an abort', { refuseLatePrepare: false }],
];

export const plantedBugs: readonly PlantedBug[] = [
  ...configBugs.map(([name, rules]) => ({
    name: `config: ${name}`,
    scenario: configScenario({ ...SAFE_RULES, ...rules }),
  })),
  ...(['deadline-from-answer', 'absent-is-expired'] as const).map((bug) => ({
    name: `leadership: ${bug}`,
    scenario: leadershipScenario(bug),
  })),
  {
    name: 'replication: acknowledged before the removal of a laggard is stored',
    scenario: replicationScenario({
      required: (inSync, held) => (held.length > 0 ? held : inSync),
    }),
  },
  ...clusterBugs.map((bug) => ({ name: `cluster: ${bug}`, scenario: clusterScenario(bug) })),
];
