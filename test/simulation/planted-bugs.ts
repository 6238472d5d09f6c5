/** Bugs that are planted on purpose. A checker that does not find each of them within its seeds does not count. */
import {
  type ParticipantRules,
  SAFE_RULES,
} from '../../runtime/src/core/config/participant-state.ts';
import { clusterBugs } from './cluster-bugs.ts';
import { forcedBugs } from './cluster-forced-bugs.ts';
import { moveBugs } from './cluster-move-bugs.ts';
import { clusterScenario } from './cluster-scenario.ts';
import { configScenario } from './config/config-scenario.ts';
import { type EventualBug, eventualScenario } from './eventual-scenario.ts';
import { type MembershipBug } from './membership-bugs.ts';
import { membershipScenario } from './membership-scenario.ts';
import { raftBugs } from './raft-bugs.ts';
import { replicationScenario } from './replication.ts';
import type { ReplicationBug } from './replication-bugs.ts';
import type { Scenario } from './scenario.ts';

export interface PlantedBug {
  readonly name: string;
  /** That it breaks. */
  readonly rule?: string;
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

const replicationFindings: Readonly<Record<ReplicationBug, readonly [from: number, RegExp]>> = {
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
const ofAcks: readonly string[] = ['acknowledged-by-a-minority', 'cut-rows-not-kept'];

const eventualFindings: Readonly<Record<EventualBug, readonly [from: number, RegExp]>> = {
  'one-slot': [26, /has two leaders|two logs differ/],
  'no-freeze': [5, /without a fault rows .* were lost/],
  'rows-dropped': [5, /are in no log and not lost/],
  'never-yields': [15, /later: 0 are writable/],
};

const membershipFindings: Readonly<Record<MembershipBug, RegExp>> = {
  'no-refutation': /all faults have ended: .* thinks of/,
  'old-incarnation': /(which runs and is reached, for|thinks of .*:) (suspect|dead|left)/,
  'no-helpers': /which runs and is reached, for suspect/,
  'keeps-addresses': /(which runs and is reached, for|thinks of .*:) suspect/,
};

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
  ...Object.entries(replicationFindings).map(([bug, [from, finding]]) => ({
    ...{ name: `replication: ${bug}`, from, finding },
    scenario: replicationScenario({ bug: bug as ReplicationBug, acks: ofAcks.includes(bug) }),
  })),
  ...Object.entries(eventualFindings).map(([bug, [from, finding]]) => ({
    ...{ name: `eventual: ${bug}`, from, finding },
    scenario: eventualScenario(bug as EventualBug),
  })),
  ...Object.entries(membershipFindings).map(([bug, finding]) => ({
    ...{ name: `membership: ${bug}`, from: 1, finding },
    scenario: membershipScenario(bug as MembershipBug),
  })),
  ...[...clusterBugs, ...moveBugs, ...forcedBugs, ...raftBugs].map((bug) => ({
    name: `cluster: ${bug.name}`,
    rule: bug.rule,
    scenario: clusterScenario({ bug, ...(bug.focus && { focus: bug.focus }) }),
    from: bug.from,
    finding: bug.finding,
  })),
];
