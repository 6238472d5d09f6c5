/** Bugs that are planted on purpose. A checker that does not find each of them within its seeds does not count. */
import {
  type ParticipantRules,
  SAFE_RULES,
} from '../../runtime/src/core/config/participant-state.ts';
import { clusterBugs } from '../simulation/cluster-bugs.ts';
import { clusterScenario } from '../simulation/cluster-scenario.ts';
import { configScenario } from '../simulation/config/config-scenario.ts';
import { raftBugs } from '../simulation/raft-bugs.ts';
import { replicationScenario } from '../simulation/replication.ts';
import type { ReplicationBug } from '../simulation/replication-bugs.ts';
import type { Scenario } from '../simulation/scenario.ts';

export interface PlantedBug {
  readonly name: string;
  readonly scenario: Scenario;
  /** A seed not far before one that finds it: for whoever has little time. */
  readonly from: number;
  /** What the checker says of it; anything else is another bug. */
  readonly finding: RegExp;
}

/** Within so many seeds, from any one on, a bug is found. */
export const SEEDS_FOR_A_BUG = 600;

const configBugs: readonly [string, Partial<ParticipantRules>][] = [
  ['commit before the decision is stored', { storeBeforeInstall: false }],
  ['unlock because no decision was found', { keepLockWhileUndecided: false }],
  ['late prepare accepted after an abort', { refuseLatePrepare: false }],
];

const replicationFindings: readonly (readonly [ReplicationBug, from: number, RegExp])[] = [
  ['acknowledged-before-the-log', 1, /misses acknowledged rows/],
  ['segment-reused', 1, /did not start: .*The log is damaged: log/],
  ['snapshot-before-its-end', 50, /with which it ends/],
  ['join-misses-rows', 1, /different rows|misses acknowledged rows/],
  ['term-continued', 4, /different rows|misses acknowledged rows/],
  ['lower-term-rows', 130, /which no leader of \d+ gave|misses acknowledged rows/],
  ['position-before-the-promise', 1, /before its promise of \d+ was durable/],
];

export const plantedBugs: readonly PlantedBug[] = [
  ...configBugs.map(([name, rules]) => ({
    name: `config: ${name}`,
    scenario: configScenario({ ...SAFE_RULES, ...rules }),
    from: 1,
    finding: /./,
  })),
  {
    name: 'replication: acknowledged before the removal of a laggard is stored',
    scenario: replicationScenario({
      required: (inSync, held) => (held.length > 0 ? held : inSync),
    }),
    from: 20,
    finding: /misses acknowledged rows/,
  },
  ...replicationFindings.map(([bug, from, finding]) => ({
    ...{ name: `replication: ${bug}`, from, finding },
    scenario: replicationScenario({ bug }),
  })),
  {
    name: 'replication: acknowledged by a minority',
    scenario: replicationScenario({ bug: 'acknowledged-by-a-minority', acks: true }),
    from: 6,
    finding: /misses acknowledged rows/,
  },
  {
    name: 'replication: rows that are cut are not kept',
    scenario: replicationScenario({ bug: 'cut-rows-not-kept', acks: true }),
    from: 1,
    finding: /is lost, and not in lost/,
  },
  ...[...clusterBugs, ...raftBugs].map((bug) => ({
    name: `cluster: ${bug.name}`,
    scenario: clusterScenario({ bug, ...(bug.focus && { focus: bug.focus }) }),
    from: bug.from,
    finding: bug.finding,
  })),
];
