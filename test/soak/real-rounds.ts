/** Rounds with real processes and a real etcd, each kind on a cluster of its own. */
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { runConfigKills } from './config-kills.ts';
import type { RealReport, RealRounds } from './kill-round.ts';
import { runLeaderFaults } from './leader-faults.ts';

type Run = (
  parts: { readonly cluster: LocalCluster; readonly etcd: RealEtcd },
  rounds: RealRounds,
) => Promise<RealReport>;

export interface RealSuite {
  readonly name: string;
  readonly routers: number;
  readonly run: Run;
}

export const realSuites: readonly RealSuite[] = [
  {
    name: 'config-kills',
    routers: 1,
    run: ({ cluster }, rounds) => runConfigKills(cluster, rounds),
  },
  { name: 'leader-faults', routers: 2, run: runLeaderFaults },
];

export async function runRealSuite(
  suite: RealSuite,
  options: {
    readonly etcdBinary: string;
    readonly seed: number;
    readonly seconds: number;
    readonly tell: (line: string) => void;
    /** What must be ended when the soak is. */
    readonly running: AsyncDisposableStack;
  },
): Promise<RealReport> {
  const { etcdBinary, seed, seconds, tell, running } = options;
  try {
    const etcd = running.adopt(await startEtcd(etcdBinary), (started) => started.stop());
    const starting = LocalCluster.start({
      provider: { kind: 'etcd', endpoints: [etcd.endpoint], prefix: '/soak/' },
      routers: suite.routers,
      storages: [2, 1],
    });
    const cluster = running.adopt(await starting, (started) => started.stop());
    const untilMs = performance.now() + seconds * 1000;
    return await suite.run(
      { cluster, etcd },
      {
        random: new SeededRandom(seed),
        goesOn: (rounds) => rounds === 0 || performance.now() < untilMs,
        tell,
      },
    );
  } catch (error) {
    return { violations: [describe(error)], counts: {} };
  } finally {
    await running.disposeAsync();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${describe(error.cause)})`;
  return `${error.message}${cause}`;
}
