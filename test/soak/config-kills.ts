/**
 * Rounds of: the cluster config is changed through one instance, or two at once, and some instance is killed with
 * SIGKILL at a random moment of that and started again.
 *
 * After each round all instances have the same config and no lock; over all rounds no version of the config was ever
 * seen with two contents, what was answered with 200 is in the config, and what was refused is not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfig, InstanceStatus } from '@tonearm/runtime/contract';
import type { LocalCluster } from '../support/local-cluster.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { waitUntil } from '../support/wait-until.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';

/** A section that no role reads, so that any value is right. */
const SECTION = 'soak';
/** A lock that its coordinator has left is settled within 23 s; starts take long on a busy machine. */
const SETTLE_MS = 120_000;

interface Attempt {
  readonly value: string;
  /** 0: no answer. */
  readonly status: number;
  readonly version: number | undefined;
  readonly message: string;
}

export async function runConfigKills(
  cluster: LocalCluster,
  { random, goesOn, tell }: RealRounds,
): Promise<RealReport> {
  const seen = new Checksums();
  const counts: Record<string, number> = {};
  const usualMs = await timeOfChange(cluster);
  for (let round = 0; goesOn(round); round++) {
    const violationsBefore = seen.violations.length;
    const victim = random.pick(cluster.instances);
    const coordinators = [random.pick(cluster.instances)];
    if (random.chance(0.25)) coordinators.push(random.pick(cluster.instances));
    const killAfterMs = random.fraction() * 1.5 * usualMs;
    const startedMs = performance.now();
    const [attempts] = await Promise.all([
      Promise.all(coordinators.map((one, index) => change(one, `${round}/${index}`))),
      sleep(killAfterMs).then(() => kill(victim, random.chance(0.5))),
      seen.look(cluster, 5),
    ]);
    const config = await settle(cluster, seen);
    for (const attempt of attempts) {
      count(
        counts,
        attempt.status === 200 ? 'committed' : attempt.status === 0 ? 'cut' : 'refused',
      );
      seen.judge(attempt, config);
    }
    count(counts, 'rounds');
    const outcome = attempts.map(({ status }) => status).join(' and ');
    const tookMs = Math.round(performance.now() - startedMs);
    tell(
      `round ${round}: ${victim.name} killed after ${killAfterMs.toFixed(0)} ms of a change through ` +
        `${coordinators.map(({ name }) => name).join(' and ')}: ${outcome}, ` +
        `version ${config.meta.version}, settled after ${tookMs} ms`,
    );
    for (const violation of seen.violations.slice(violationsBefore)) tell(`  ${violation}`);
  }
  return { violations: seen.violations, counts };
}

class Checksums {
  readonly violations: string[] = [];
  readonly #ofVersion = new Map<number, string>();
  /** Values that were in the config once. */
  readonly #installed = new Set<unknown>();

  async look(cluster: LocalCluster, times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      await Promise.all(
        cluster.instances.map(async (instance) => {
          const status = await instance.status(1000).catch(() => undefined);
          if (status !== undefined) this.see(status);
        }),
      );
      await sleep(20);
    }
  }

  see({ name, config }: InstanceStatus): void {
    const known = this.#ofVersion.get(config.version) ?? config.checksum;
    this.#ofVersion.set(config.version, known);
    if (known === config.checksum) return;
    this.violations.push(
      `${name} has version ${config.version} with ${config.checksum}, another had ${known}`,
    );
  }

  judge(attempt: Attempt, config: ClusterConfig): void {
    const { value, status, version, message } = attempt;
    const now = config.sections[SECTION];
    this.#installed.add(now);
    const isOver = version !== undefined && config.meta.version > version;
    if (status === 200 && !isOver && now !== value) {
      this.violations.push(`${value} was answered 200, and the config has ${JSON.stringify(now)}`);
    }
    if (status !== 200 && status !== 0 && status !== 504 && this.#installed.has(value)) {
      this.violations.push(`${value} was refused with ${status} (${message}), and was installed`);
    }
    if (status !== 0 && ![200, 409, 503, 504].includes(status)) {
      this.violations.push(`${value} was answered ${status}: ${message}`);
    }
  }
}

async function change(through: LocalInstance, value: string): Promise<Attempt> {
  const sections = { [SECTION]: value };
  try {
    const { status, body } = await through.request('PATCH', '/admin/config', { sections }, 60_000);
    const { version, message = '' } = body as { version?: number; message?: string };
    return { value, status, version, message };
  } catch {
    return { value, status: 0, version: undefined, message: '' };
  }
}

/** With its launcher or without, which then ends by itself. */
async function kill(victim: LocalInstance, withLauncher: boolean): Promise<void> {
  if (withLauncher) await victim.crash();
  else await victim.killDataProcess();
  victim.start();
}

/** Resolves with the one config that all instances have, when none has a lock. */
async function settle(cluster: LocalCluster, seen: Checksums): Promise<ClusterConfig> {
  let last: readonly InstanceStatus[] = [];
  try {
    await waitUntil(
      'one config, and no lock',
      async () => {
        last = await Promise.all(cluster.instances.map((instance) => instance.status(2000)));
        for (const status of last) seen.see(status);
        const [first] = last;
        return last.every(
          ({ config, preparedChangeId, state }) =>
            preparedChangeId === null &&
            state === 'RolesConfigured' &&
            isDeepStrictEqual(config, first?.config),
        );
      },
      SETTLE_MS,
    );
  } catch (error) {
    const stuck = last.map(
      ({ name, state, config, preparedChangeId }) =>
        `${name} ${state} ${config.version} ${preparedChangeId ?? 'no lock'}`,
    );
    throw new Error(`the config does not settle: ${stuck.join(', ')}`, { cause: error });
  }
  const answer = await cluster.router.request('GET', '/admin/cluster-config');
  return answer.body as ClusterConfig;
}

/** Of a change that nobody disturbs: the middle one of five. */
async function timeOfChange(cluster: LocalCluster): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < 5; time++) {
    const startedMs = performance.now();
    const { status, message } = await change(cluster.router, `warm-up ${time}`);
    if (status !== 200) throw new Error(`a change failed: ${message}`);
    times.push(performance.now() - startedMs);
  }
  return times.toSorted((a, b) => a - b)[2] ?? 0;
}
