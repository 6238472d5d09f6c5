/** Random faults at random times against a replica set, its state provider, its router and the links between them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { RealEtcd } from '../support/etcd.ts';
import { setUuid } from '../support/first-config.ts';
import type { LocalCluster } from '../support/local-cluster.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import type { ProcessLink } from '../support/process-link.ts';
import { count } from './kill-round.ts';

export interface ChaosBed {
  readonly cluster: LocalCluster;
  readonly etcd: RealEtcd;
  readonly toEtcd: ProcessLink;
  /** Between the others and each instance, by its name. */
  readonly toInstances: ReadonlyMap<string, ProcessLink>;
  /** Who leads now, as far as is known. */
  readonly leader: () => LocalInstance | undefined;
  readonly random: SeededRandom;
}

type Strike = (bed: ChaosBed, victim: LocalInstance, lastsMs: number) => Promise<void>;

const LASTS_MS_MIN = 200;
const LASTS_MS_MAX = 3500;
const GAP_MS_MAX = 2500;
const AT_ONCE = 2;
const LEADER = 0.6;

const strikes: Readonly<Record<string, Strike>> = {
  kill: (_bed, victim, lastsMs) => restart(victim, victim.killDataProcess(), lastsMs),
  crash: (_bed, victim, lastsMs) => restart(victim, victim.crash(), lastsMs),
  freeze: async (_bed, victim, lastsMs) => {
    victim.pause();
    await sleep(lastsMs);
    victim.resume();
  },
  block: async (_bed, victim, lastsMs) => {
    await victim.request('POST', `/block?ms=${lastsMs}`);
  },
  'cut from etcd': async ({ toEtcd, random }, victim, lastsMs) => {
    toEtcd.cut(pidsOf(victim));
    await sleep(lastsMs);
    toEtcd.heal(random.pick(['lost', 'late']));
  },
  'cut from the others': async (bed, victim, lastsMs) => {
    cutFromOthers(bed, victim);
    await sleep(lastsMs);
    healOthers(bed);
  },
  'cut off': async (bed, victim, lastsMs) => {
    bed.toEtcd.cut(pidsOf(victim));
    cutFromOthers(bed, victim);
    await sleep(lastsMs);
    healOthers(bed);
    bed.toEtcd.heal(bed.random.pick(['lost', 'late']));
  },
  promote: async ({ cluster }) => {
    // It may be refused, or stay without an answer.
    await cluster.router.request('POST', '/admin/promote', { replicaSetUuid: setUuid(1) });
  },
};

/** What is not done to one instance. */
const ETCD = 'etcd';
/** The links have one state: two cuts would heal each other. */
const LINKS = 'the links';
const ROUTER: readonly string[] = ['kill', 'freeze', 'cut from etcd'];
const STORAGE: readonly string[] = Object.keys(strikes);

export class ChaosFaults {
  /** What was done and when, for the story of a round. */
  readonly story: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #bed: ChaosBed;
  readonly #nowMs: () => number;
  readonly #busy = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(bed: ChaosBed, nowMs: () => number) {
    this.#bed = bed;
    this.#nowMs = nowMs;
  }

  /** Resolves when the time is up and everything is healed. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.#nowMs() + forMs;
    while (this.#nowMs() < untilMs) {
      await sleep(this.#bed.random.integer(GAP_MS_MAX));
      if (this.#underWay.size < AT_ONCE) this.#begin();
    }
    await Promise.all(this.#underWay);
  }

  #begin(): void {
    const { random, etcd } = this.#bed;
    const lastsMs = LASTS_MS_MIN + random.integer(LASTS_MS_MAX - LASTS_MS_MIN);
    if (random.chance(0.15)) {
      this.#strike('freeze etcd', { on: [ETCD], lastsMs }, async () => {
        etcd.pause();
        await sleep(lastsMs);
        etcd.resume();
      });
      return;
    }
    const victim = this.#victim();
    const isRouter = victim === this.#bed.cluster.router;
    const kind = random.pick(isRouter ? ROUTER : STORAGE);
    const on = kind.startsWith('cut') ? [victim.name, LINKS] : [victim.name];
    this.#strike(kind, { on, lastsMs }, async () => strikes[kind]?.(this.#bed, victim, lastsMs));
  }

  #victim(): LocalInstance {
    const { cluster, leader, random } = this.#bed;
    if (random.chance(0.1)) return cluster.router;
    const one = random.pick(cluster.storages.flat());
    return random.chance(LEADER) ? (leader() ?? one) : one;
  }

  #strike(
    kind: string,
    { on, lastsMs }: { readonly on: readonly string[]; readonly lastsMs: number },
    work: () => Promise<void>,
  ): void {
    if (on.some((name) => this.#busy.has(name))) return;
    for (const name of on) this.#busy.add(name);
    const name = `${kind}, ${on[0] ?? ''}, ${lastsMs} ms`;
    this.#tell(name);
    count(this.counts, kind);
    const done = work()
      .catch((error: unknown) => this.#tell(`${name}: ${String(error)}`))
      .then(() => {
        for (const one of on) this.#busy.delete(one);
        this.#underWay.delete(done);
        this.#tell(`${name}: over`);
      });
    this.#underWay.add(done);
  }

  #tell(line: string): void {
    this.story.push(`${Math.round(this.#nowMs())} ms: ${line}`);
  }
}

async function restart(
  victim: LocalInstance,
  ended: Promise<void>,
  lastsMs: number,
): Promise<void> {
  await ended;
  await sleep(lastsMs / 2);
  victim.start();
}

function cutFromOthers({ cluster, toInstances }: ChaosBed, victim: LocalInstance): void {
  const others = cluster.instances.filter((instance) => instance !== victim);
  toInstances.get(victim.name)?.cut(others.flatMap(pidsOf));
  for (const { name } of others) toInstances.get(name)?.cut(pidsOf(victim));
}

function healOthers({ toInstances, random }: ChaosBed): void {
  const swallowed = random.pick(['lost', 'late'] as const);
  for (const link of toInstances.values()) link.heal(swallowed);
}

/** Of one that is being started there may be none. */
function pidsOf(instance: LocalInstance): readonly number[] {
  if (!instance.isRunning) return [];
  const { pid } = instance;
  try {
    return [pid, instance.dataPid];
  } catch {
    return [pid];
  }
}
