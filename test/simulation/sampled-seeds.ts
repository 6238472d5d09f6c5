/** Which seeds `npm test` plays of each scenario, and what must have happened in them all together. */

export interface SampledSeeds {
  readonly scenario: string;
  /** What the scenario shows. */
  readonly shows: string;
  readonly seeds: number;
  /** Faults that reach nothing would prove nothing. */
  readonly least?: Readonly<Record<string, number>>;
}

const CLUSTER = 'clusters under faults of few kinds are well';
const RAFT =
  'sets that elect their leaders never have two, lose nothing acknowledged, and become whole again';
const VOTES = { done: 250, leaderships: 40, votes: 90, histories: 80 };

/** Those of clusters, in every mode with linearizable writes, are 300 together: see the test. */
export const sampledSeeds: readonly SampledSeeds[] = [
  {
    scenario: 'cluster',
    shows:
      'clusters never have two writable leaders, lose nothing acknowledged, are linearizable, and become whole again',
    seeds: 130,
    least: {
      ...{ done: 6500, unknown: 130, reads: 1600, leaderships: 300, overtaken: 15 },
      histories: 650,
    },
  },
  { scenario: 'cluster-forgets', shows: CLUSTER, seeds: 15 },
  { scenario: 'cluster-absence', shows: CLUSTER, seeds: 15 },
  { scenario: 'cluster-suspend', shows: CLUSTER, seeds: 15 },
  { scenario: 'cluster-stall', shows: CLUSTER, seeds: 10, least: { stall: 10, leaderships: 30 } },
  { scenario: 'cluster-provider-away', shows: CLUSTER, seeds: 15 },
  { scenario: 'cluster-left-behind', shows: CLUSTER, seeds: 10 },
  { scenario: 'cluster-provider-cut', shows: CLUSTER, seeds: 15 },
  { scenario: 'cluster-provider-gone', shows: CLUSTER, seeds: 10 },
  {
    scenario: 'cluster-unhealthy',
    shows: CLUSTER,
    seeds: 10,
    least: { 'moved: leader-unhealthy': 5 },
  },
  { scenario: 'cluster-spread', shows: CLUSTER, seeds: 10, least: { 'moved: spread-leaders': 2 } },
  {
    scenario: 'cluster-forced',
    shows: CLUSTER,
    seeds: 10,
    least: { forced: 2, 'rows given up': 50, 'force refused': 50 },
  },
  { scenario: 'cluster-paused', shows: CLUSTER, seeds: 10 },
  { scenario: 'cluster-seats', shows: CLUSTER, seeds: 15 },
  { scenario: 'raft', shows: RAFT, seeds: 20, least: VOTES },
  { scenario: 'raft-cuts', shows: RAFT, seeds: 10 },
  { scenario: 'raft-calm', shows: RAFT, seeds: 10 },
  { scenario: 'raft-reboots', shows: RAFT, seeds: 10 },
  { scenario: 'raft-crossed', shows: RAFT, seeds: 5 },
  { scenario: 'raft-suspend', shows: RAFT, seeds: 10 },
  {
    scenario: 'eventual',
    shows:
      'a set led by gossip agrees on one leader in the end, and loses nothing without a fault [FO-26] [FO-27]',
    seeds: 16,
    least: { done: 8000, leaderships: 50, 'two lead': 1, 'rows lost': 50 },
  },
  {
    scenario: 'membership',
    shows:
      'gossip thinks no worse of who runs, buries who does not, and agrees on the truth in the end',
    seeds: 6,
    least: { killed: 20, suspect: 300, dead: 150, left: 20, alive: 800 },
  },
  {
    scenario: 'replication',
    shows: 'a replica set loses no acknowledged row, and becomes one again',
    seeds: 30,
    least: {
      ...{ acknowledged: 3000, unknown: 5, terms: 20, cutRows: 1 },
      ...{ snapshots: 100, joins: 5, trims: 50, ended: 10, late: 100 },
    },
  },
  {
    scenario: 'replication-acks',
    shows:
      'it loses no synchronous row with a minority for good, and no local one that a later leader had',
    seeds: 14,
    least: { acknowledged: 2000, local: 800, lost: 1, terms: 20, cutRows: 1 },
  },
  {
    scenario: 'replication-disk',
    shows: 'it loses no acknowledged row of a disk space either',
    seeds: 8,
    least: { cuts: 1, joins: 3, ended: 5 },
  },
  {
    scenario: 'config',
    shows: 'changes of the config never commit different ones, leave no lock, and converge',
    seeds: 100,
    least: { committed: 100, kill: 100 },
  },
];
