/**
 * Rounds of chaos: clients read and write registers and append to lists, through a router and directly, while processes,
 * links and etcd fail at random times. TTL 1 s. A replica set with a synchronous space never has less than a majority in
 * sync; one without may go on with its leader alone.
 *
 * After each round everything is healed, every key is read once more, and what clients were told must be linearizable.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { startEtcd } from '../support/etcd.ts';
import { setUuid } from '../support/first-config.ts';
import { IprotoClient } from '../support/iproto-client.ts';
import { LeaderWatch } from '../support/leader-watch.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { COOKIE, type LocalInstance } from '../support/local-instance.ts';
import { ProcessLink } from '../support/process-link.ts';
import { waitUntil } from '../support/wait-until.ts';
import { askOnce, ChaosClient, Keys } from './chaos-clients.ts';
import { type ChaosBed, ChaosFaults } from './chaos-faults.ts';
import { ChaosHistory } from './chaos-history.ts';
import { type ChaosPath, DirectPath, RouterPath, type SpaceName } from './chaos-paths.ts';
import type { RealReport, RealRounds } from './kill-round.ts';
import { spaceIdOf } from './row-checker.ts';

export interface ChaosOptions {
  readonly etcdBinary: string;
  /** What must be ended when the soak is. */
  readonly running: AsyncDisposableStack;
  readonly isSynchronous: boolean;
  /** Another one has a bug that the rounds are to find. */
  readonly application?: string;
}

const APPLICATION = path.join(import.meta.dirname, 'fixtures/chaos-application.ts');
const ROUND_MS = 9000;
const CLIENTS_OF_A_KIND = 3;
const INSTANCES = 3;

export async function runChaos(options: ChaosOptions, rounds: RealRounds): Promise<RealReport> {
  const { random } = rounds;
  const { bed, watch } = await prepare(options, random);
  const leader = (): LocalInstance | undefined => leaderNow(bed.cluster, watch);
  const isPlanted = options.application !== undefined;
  const chaos = new Chaos({ ...bed, random, leader }, isPlanted ? undefined : keep);
  try {
    for (let round = 0; rounds.goesOn(round); round++) {
      rounds.tell(`round ${round}: ${await chaos.round(round)}`);
      if (chaos.violations.length > 0) break;
    }
  } finally {
    await watch.stop();
  }
  return { violations: [...chaos.violations, ...watch.violations], counts: chaos.counts };
}

async function prepare(
  { etcdBinary, running, isSynchronous, application = APPLICATION }: ChaosOptions,
  random: SeededRandom,
): Promise<{
  readonly bed: Omit<ChaosBed, 'leader'>;
  readonly watch: LeaderWatch;
}> {
  const etcd = running.adopt(await startEtcd(etcdBinary), (started) => started.stop());
  const open = async (endpoint: string): Promise<ProcessLink> =>
    running.adopt(await ProcessLink.open(endpoint), (opened) => opened.close());
  const toEtcd = await open(etcd.endpoint);
  const toInstances = new Map<string, ProcessLink>();
  const starting = LocalCluster.start({
    provider: { kind: 'etcd', endpoints: [toEtcd.endpoint], prefix: '/chaos/' },
    ...{ storages: [INSTANCES], application, allCoordinate: true },
    environment: { SOAK_SYNCHRONOUS: String(isSynchronous) },
    reachedAt: async ({ name, httpPort }) => {
      const link = await open(`http://127.0.0.1:${httpPort}`);
      toInstances.set(name, link);
      return `127.0.0.1:${link.port}`;
    },
  });
  const cluster = running.adopt(await starting, (started) => started.stop());
  return {
    bed: { cluster, etcd, toEtcd, toInstances, random },
    watch: new LeaderWatch(cluster),
  };
}

function leaderNow(cluster: LocalCluster, watch: LeaderWatch): LocalInstance | undefined {
  const name = watch.highest(setUuid(1))?.name;
  return cluster.instances.find((instance) => instance.name === name);
}

class Chaos {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #bed: ChaosBed;
  readonly #keep: ((story: unknown) => string) | undefined;
  #spaces: Readonly<Record<SpaceName, number>> | undefined;

  constructor(bed: ChaosBed, keepStory: ((story: unknown) => string) | undefined) {
    this.#bed = bed;
    this.#keep = keepStory;
  }

  /** What happened in it. */
  async round(round: number): Promise<string> {
    const { cluster } = this.#bed;
    this.#spaces ??= await spacesOf(await cluster.settled(0));
    const beganMs = performance.now();
    const nowMs = (): number => performance.now() - beganMs;
    const history = new ChaosHistory(nowMs);
    const faults = new ChaosFaults(this.#bed, nowMs);
    const paths = this.#paths(this.#spaces);
    const keys = new Keys(String(round));
    const clients = paths.map(
      ({ name, path: way }) =>
        new ChaosClient({
          ...{ name, path: way, history, keys: () => keys },
          random: new SeededRandom(this.#bed.random.integer(2 ** 31)),
        }),
    );
    await faults.run(ROUND_MS);
    const healedMs = nowMs();
    await Promise.all(clients.map((client) => client.stop()));
    await cluster.settled(0);
    const settledMs = Math.round(nowMs() - healedMs);
    await this.#readAll(history);
    for (const { path: way } of paths) way.close();
    const { verdict, record } = history.judge();
    const { violations, ...counts } = verdict;
    const surprises = paths.flatMap(({ path: way }) => way.surprises.slice(0, 3));
    if (violations.length > 0 || surprises.length > 0) {
      const file = this.#keep?.({ round, faults: faults.story, surprises, ...record });
      const all = [...violations, ...surprises];
      this.violations.push(
        ...all.map((one) => `round ${round}: ${one}\n    history: ${file ?? 'not kept'}`),
      );
    }
    this.#count({ rounds: 1, ...counts, ...faults.counts });
    const done = Object.entries(faults.counts).map(([kind, times]) => `${times} ${kind}`);
    return (
      `${done.join(', ')}; settled after ${settledMs} ms; ${JSON.stringify(counts)}, ` +
      `answered by the second: ${record.perSecond.join(' ')}`
    );
  }

  #paths(
    spaces: Readonly<Record<SpaceName, number>>,
  ): readonly { readonly name: string; readonly path: ChaosPath }[] {
    const { cluster, random } = this.#bed;
    const numbers = Array.from({ length: CLIENTS_OF_A_KIND }, (_, index) => index);
    return numbers.flatMap((number) => [
      { name: `router-${number}`, path: new RouterPath(cluster.router) },
      {
        name: `direct-${number}`,
        path: new DirectPath(
          cluster.storages.flat(),
          spaces,
          new SeededRandom(random.integer(2 ** 31)),
        ),
      },
    ]);
  }

  /** Until each was answered. */
  async #readAll(history: ChaosHistory): Promise<void> {
    const way = new RouterPath(this.#bed.cluster.router);
    for (const { key, space } of history.keys()) {
      const asked = { kind: 'read', key, space, value: 0 } as const;
      await waitUntil(`${key} can be read`, async () => {
        const told = await askOnce(history, { name: 'last', path: way, asked });
        return told.kind === 'answered';
      });
    }
  }

  #count(more: Readonly<Record<string, number>>): void {
    for (const [name, number] of Object.entries(more))
      this.counts[name] = (this.counts[name] ?? 0) + number;
  }
}

async function spacesOf(leader: LocalInstance): Promise<Readonly<Record<SpaceName, number>>> {
  const client = await IprotoClient.connect(leader.port, { user: 'admin', password: COOKIE });
  try {
    const [first, second] = [await spaceIdOf(client, 'first'), await spaceIdOf(client, 'second')];
    return { first, second };
  } finally {
    client.close();
  }
}

/** For whoever looks into it: the faults with their times, and all that clients asked and were told. */
function keep(story: unknown): string {
  const file = path.join(tmpdir(), `tonearm-chaos-${process.pid}-${Date.now()}.json`);
  writeFileSync(file, `${JSON.stringify(story, null, 1)}\n`);
  return file;
}
