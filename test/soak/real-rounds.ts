/** Rounds with real processes, each kind on a cluster of its own. */
import path from 'node:path';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { runChaos } from './chaos.ts';
import { runConfigKills } from './config-kills.ts';
import { runCrashRounds } from './crash-rounds.ts';
import { runDiskErrors } from './disk-errors.ts';
import type { RealReport, RealRounds } from './kill-round.ts';
import { runLeaderFaults } from './leader-faults.ts';
import { runReplicaSetFaults } from './replica-set-faults.ts';
import { runStaleLeader } from './stale-leader.ts';

interface Place {
  readonly etcdBinary: string | undefined;
  /** What must be ended when the soak is. */
  readonly running: AsyncDisposableStack;
}

export interface RealSuite {
  readonly name: string;
  readonly needsEtcd: boolean;
  /** As many and no more; without it, for a time. */
  readonly rounds?: { readonly sample: number; readonly full: number };
  /** The time, where it is not that of most suites. */
  readonly seconds?: { readonly sample: number; readonly full: number };
  /** It has a planted bug, of which the checker says this. */
  readonly finding?: RegExp;
  readonly run: (place: Place, rounds: RealRounds) => Promise<RealReport>;
}

/** Applications with a bug, and what the rounds say of it. */
const crashBugs: readonly (readonly [name: string, application: string, finding: RegExp])[] = [
  ['late-log', 'late-log-application.ts', /no prefix of/],
  ['missing-entry', 'missing-entry-application.ts', /index group has/],
  ['sparse-log', 'sparse-log-application.ts', /xlog at byte/],
];

const staleBugs: readonly (readonly [name: string, application: string, finding: RegExp])[] = [
  ['apply', 'lapse-at-apply-application.ts', /has applied in term \d+ after/],
  ['reply', 'lapse-at-reply-application.ts', /acknowledged and missing/],
];

function fixture(name: string): string {
  return path.join(import.meta.dirname, 'fixtures', name);
}

export const realSuites: readonly RealSuite[] = [
  {
    name: 'config-kills',
    needsEtcd: true,
    run: onCluster(1, ({ cluster }, rounds) => runConfigKills(cluster, rounds)),
  },
  { name: 'leader-faults', needsEtcd: true, run: onCluster(2, runLeaderFaults) },
  ...(['write', 'fsync'] as const).map((mode) => ({
    name: `crash-${mode}`,
    needsEtcd: false,
    rounds: { sample: 5, full: 110 },
    run: ({ running }: Place, rounds: RealRounds) => runCrashRounds({ mode, running }, rounds),
  })),
  {
    name: 'crash-disk',
    needsEtcd: false,
    rounds: { sample: 5, full: 60 },
    run: ({ running }, rounds) =>
      runCrashRounds({ mode: 'write', running, engine: 'disk' }, rounds),
  },
  ...crashBugs.map(([name, application, finding]) => ({
    ...{ name: `crash-planted-${name}`, finding },
    needsEtcd: false,
    rounds: { sample: 5, full: 5 },
    run: ({ running }: Place, rounds: RealRounds) =>
      runCrashRounds({ mode: 'write', running, application: fixture(application) }, rounds),
  })),
  ...(['write', 'fsync'] as const).map((mode) => ({
    name: `disk-errors-${mode}`,
    needsEtcd: false,
    rounds: { sample: 3, full: 60 },
    run: ({ running }: Place, rounds: RealRounds) =>
      runDiskErrors({ mode, instances: 1, running }, rounds),
  })),
  {
    name: 'disk-errors-planted-bug',
    needsEtcd: false,
    rounds: { sample: 3, full: 3 },
    finding: /no prefix of/,
    run: ({ running }, rounds) =>
      runDiskErrors({ mode: 'fsync', instances: 1, running, isHidden: true }, rounds),
  },
  {
    name: 'disk-errors-set',
    needsEtcd: false,
    rounds: { sample: 3, full: 40 },
    run: ({ running }, rounds) => runDiskErrors({ mode: 'fsync', instances: 3, running }, rounds),
  },
  {
    name: 'replica-set-faults',
    needsEtcd: false,
    run: ({ running }, rounds) => runReplicaSetFaults(running, rounds),
  },
  {
    name: 'stale-leader',
    needsEtcd: true,
    rounds: { sample: 5, full: 300 },
    run: (place, rounds) => runStaleLeader({ ...place, etcdBinary: etcdOf(place) }, rounds),
  },
  ...staleBugs.map(([name, application, finding]) => ({
    ...{ name: `stale-leader-planted-${name}`, finding },
    needsEtcd: true,
    rounds: { sample: 6, full: 12 },
    run: (place: Place, rounds: RealRounds) =>
      runStaleLeader(
        { ...place, etcdBinary: etcdOf(place), application: fixture(application) },
        rounds,
      ),
  })),
  {
    name: 'chaos',
    needsEtcd: true,
    seconds: { sample: 110, full: 900 },
    run: (place, rounds) =>
      runChaos({ ...place, etcdBinary: etcdOf(place), isSynchronous: true }, rounds),
  },
  {
    name: 'chaos-default',
    needsEtcd: true,
    seconds: { sample: 1, full: 300 },
    run: (place, rounds) =>
      runChaos({ ...place, etcdBinary: etcdOf(place), isSynchronous: false }, rounds),
  },
  {
    name: 'chaos-planted-own-log',
    finding: /nothing explains/,
    needsEtcd: true,
    rounds: { sample: 8, full: 20 },
    run: (place, rounds) =>
      runChaos(
        {
          ...{ ...place, etcdBinary: etcdOf(place), isSynchronous: true },
          application: fixture('own-log-application.ts'),
        },
        rounds,
      ),
  },
];

function onCluster(
  routers: number,
  run: (
    parts: { readonly cluster: LocalCluster; readonly etcd: RealEtcd },
    rounds: RealRounds,
  ) => Promise<RealReport>,
): RealSuite['run'] {
  return async (place, rounds) => {
    const { running } = place;
    const etcd = running.adopt(await startEtcd(etcdOf(place)), (started) => started.stop());
    const starting = LocalCluster.start({
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/soak/' },
      routers,
      storages: [2, 1],
    });
    const cluster = running.adopt(await starting, (started) => started.stop());
    return run({ cluster, etcd }, rounds);
  };
}

function etcdOf({ etcdBinary }: Place): string {
  if (etcdBinary === undefined) throw new Error('no etcd');
  return etcdBinary;
}

export interface RunSuiteOptions extends Place {
  readonly seed: number;
  readonly seconds: number;
  readonly isSample: boolean;
  readonly tell: (line: string) => void;
}

export async function runRealSuite(
  suite: RealSuite,
  { etcdBinary, running, seed, seconds, isSample, tell }: RunSuiteOptions,
): Promise<RealReport> {
  const most = isSample ? suite.rounds?.sample : suite.rounds?.full;
  const ownSeconds = isSample ? suite.seconds?.sample : suite.seconds?.full;
  try {
    let untilMs: number | undefined;
    const hasTime = (): boolean => {
      untilMs ??= performance.now() + (ownSeconds ?? seconds) * 1000;
      return performance.now() < untilMs;
    };
    const goesOn = (rounds: number): boolean =>
      most === undefined ? hasTime() || rounds === 0 : rounds < most;
    const rounds = { random: new SeededRandom(seed), goesOn, tell };
    return judge(suite, await suite.run({ etcdBinary, running }, rounds));
  } catch (error) {
    return { violations: [describe(error)], counts: {} };
  } finally {
    await running.disposeAsync();
  }
}

function judge({ finding, rounds }: RealSuite, report: RealReport): RealReport {
  if (finding === undefined) return report;
  const isFound = report.violations.some((violation) => finding.test(violation));
  return { ...report, violations: isFound ? [] : [`NOT FOUND in ${rounds?.full ?? '?'} rounds`] };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${describe(error.cause)})`;
  return `${error.message}${cause}`;
}
