/**
 * Rounds in which a leader stands still, or is cut off from etcd, for about the time of its lease or longer, and then
 * goes on, with requests in the buffers of its connections. TTL 1 s.
 *
 * Once another term has begun it applies nothing, nothing that it has acknowledged is missing there, however late the
 * acknowledgement left it, and at no sampled moment are two of them writable.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { permittedUntilMs } from '../../runtime/src/core/failover/renewal-permission.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { startEtcd } from '../support/etcd.ts';
import { type Leadership, LeaderWatch } from '../support/leader-watch.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ProcessLink } from '../support/process-link.ts';
import { isStopped } from '../support/processes.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Blocked, sharedMs } from './fixtures/block-loop.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';
import { spaceIdOf } from './row-checker.ts';
import { judgeStaleRound, type Silence } from './stale-judge.ts';
import { readRowKeys, StaleWriter } from './stale-writers.ts';
import { tuplesOfTerm } from './term-rows.ts';

export interface StaleLeaderOptions {
  readonly etcdBinary: string;
  /** What must be ended when the soak is. */
  readonly running: AsyncDisposableStack;
  /** Another one has a bug that the rounds are to find. */
  readonly application?: string;
}

const FAULTS = ['freeze', 'block', 'cut'] as const;
type Fault = (typeof FAULTS)[number];

const APPLICATION = path.join(import.meta.dirname, 'fixtures/stale-application.ts');
const TTL_MS = 1000;
const LASTS_MIN = 0.8;
/** One that is cut off may be the coordinator too: then another has to take its lock first. */
const LASTS_MAX: Readonly<Record<Fault, number>> = { freeze: 3, block: 3, cut: 5 };
const WRITERS = 3;
const BEFORE_MS_MAX = 300;
const AFTER_MS = 300;
/** Of clocks that are rounded, and of a file system that counts in ticks. */
const FILE_TIME_MS = 1000;

export async function runStaleLeader(
  { etcdBinary, running, application = APPLICATION }: StaleLeaderOptions,
  rounds: RealRounds,
): Promise<RealReport> {
  const etcd = running.adopt(await startEtcd(etcdBinary), (started) => started.stop());
  const opening = ProcessLink.open(etcd.endpoint);
  const link = running.adopt(await opening, (opened) => opened.close());
  const starting = ReplicaSet.start({
    ...{ instances: 3, application, role: 'soak.stale', ttlSeconds: TTL_MS / 1000 },
    provider: { kind: 'etcd', endpoints: [link.endpoint], prefix: '/stale/' },
  });
  const set = running.adopt(await starting, (started) => started.stop());
  const stale = new StaleLeaderRounds({ set, link, random: rounds.random });
  try {
    for (let round = 0; rounds.goesOn(round); round++) {
      rounds.tell(`round ${round}: ${await stale.round(round)}`);
      if (stale.violations.length > 0) break;
    }
    if (stale.violations.length === 0) await stale.checkAll();
  } finally {
    await stale.watch.stop();
  }
  return { violations: [...stale.violations, ...stale.watch.violations], counts: stale.counts };
}

class StaleLeaderRounds {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly watch: LeaderWatch;
  readonly #set: ReplicaSet;
  readonly #link: ProcessLink;
  readonly #random: SeededRandom;
  readonly #acknowledged = new Set<string>();

  constructor(parts: {
    readonly set: ReplicaSet;
    readonly link: ProcessLink;
    readonly random: SeededRandom;
  }) {
    this.#set = parts.set;
    this.#link = parts.link;
    this.#random = parts.random;
    this.watch = new LeaderWatch(parts.set);
  }

  /** What happened in it. */
  async round(round: number): Promise<string> {
    const random = this.#random;
    const since = new Date(Date.now() - FILE_TIME_MS);
    const old = await this.#set.settled();
    const { replicaSet } = await old.status();
    const [term, uuid] = [replicaSet?.term ?? 0, replicaSet?.uuid ?? ''];
    const fault = FAULTS[round % FAULTS.length]!;
    const drawnMs = Math.round(
      TTL_MS * (LASTS_MIN + random.fraction() * (LASTS_MAX[fault] - LASTS_MIN)),
    );
    // Its lease is renewed for a while without its main loop.
    const lastsMs = drawnMs + (fault === 'block' ? permittedUntilMs(0, TTL_MS) : 0);
    const { writers, space } = await this.#writersTo(old, round);
    const next = new NextLeader({ set: this.#set, watch: this.watch }, uuid, term);
    const following = next.write({ round, writer: WRITERS, space });
    await sleep(random.integer(BEFORE_MS_MAX));
    const struckMs = performance.now();
    const silence = await this.#inflict(fault, old, lastsMs);
    await sleep(AFTER_MS);
    next.stop();
    const all = [...writers, ...(await following)];
    await finish(all);
    const leader = await this.#set.settled();
    const found = await Promise.all(
      this.#set.instances.map(async (instance) => ({
        name: instance.name,
        rows: await this.#rowsOf(instance, round),
      })),
    );
    const verdict = judgeStaleRound({
      ...{ old: old.name, term, silence, begun: next.first, found },
      writes: all.flatMap(({ writes }) => writes),
      applied: () => tuplesOfTerm(old.workdir, { term, space, since }),
    });
    for (const id of verdict.acknowledged) this.#acknowledged.add(id);
    const surprises = all.flatMap((writer) => writer.surprises.slice(0, 3));
    const begun = next.first === undefined ? 'it leads on' : tellBegun(next.first, struckMs);
    const told = `${fault} ${old.name} for ${lastsMs} ms, ${begun}, ${leader.name} leads`;
    const wrong = [...verdict.violations, ...surprises];
    this.violations.push(...wrong.map((one) => `round ${round}, ${told}: ${one}`));
    this.#count(fault, verdict.counts);
    if (next.first !== undefined) count(this.counts, 'another term');
    if (next.first !== undefined && next.first.name !== old.name)
      count(this.counts, 'another leader');
    return `${told}, ${JSON.stringify(verdict.counts)}`;
  }

  /** Every row that was ever acknowledged is on every instance. */
  async checkAll(): Promise<void> {
    await this.#set.settled();
    for (const instance of this.#set.instances) {
      const rows = await this.#rowsOf(instance);
      const missing = [...this.#acknowledged].filter((id) => !rows.has(id));
      if (missing.length === 0) continue;
      const some = missing.slice(0, 5).join(', ');
      this.violations.push(
        `${instance.name} lacks ${missing.length} acknowledged rows in the end: ${some}`,
      );
    }
  }

  async #writersTo(
    leader: LocalInstance,
    round: number,
  ): Promise<{ readonly writers: readonly StaleWriter[]; readonly space: number }> {
    const clients = await Promise.all(
      Array.from({ length: WRITERS }, () => this.#set.connect(leader)),
    );
    const space = await spaceIdOf(clients[0]!);
    const writers = clients.map(
      (client, writer) => new StaleWriter(client, { round, writer, space }),
    );
    return { writers, space };
  }

  async #rowsOf(instance: LocalInstance, round?: number): Promise<ReadonlySet<string>> {
    const client = await this.#set.connect(instance);
    try {
      return await readRowKeys(client, await spaceIdOf(client), round);
    } finally {
      client.close();
    }
  }

  /** Undefined where the leader runs all the time. */
  async #inflict(fault: Fault, old: LocalInstance, lastsMs: number): Promise<Silence | undefined> {
    if (fault === 'freeze') return freeze(old, lastsMs);
    if (fault === 'block') return block(old, lastsMs);
    this.#link.cut([old.pid, old.dataPid]);
    await sleep(lastsMs);
    this.#link.heal(this.#random.pick(['lost', 'late']));
    return undefined;
  }

  #count(fault: Fault, counts: Readonly<Record<string, number>>): void {
    count(this.counts, 'rounds');
    count(this.counts, fault);
    for (const [name, more] of Object.entries(counts))
      this.counts[name] = (this.counts[name] ?? 0) + more;
  }
}

function tellBegun({ name, term, answeredMs }: Leadership, sinceMs: number): string {
  return `${name} has begun term ${term} after ${Math.round(answeredMs - sinceMs)} ms`;
}

/** Whoever leads the next term is written to as well, as soon as it is seen. */
class NextLeader {
  first: Leadership | undefined;
  readonly #parts: { readonly set: ReplicaSet; readonly watch: LeaderWatch };
  readonly #uuid: string;
  readonly #term: number;
  #isStopping = false;

  constructor(
    parts: { readonly set: ReplicaSet; readonly watch: LeaderWatch },
    uuid: string,
    term: number,
  ) {
    this.#parts = parts;
    this.#uuid = uuid;
    this.#term = term;
  }

  stop(): void {
    this.#isStopping = true;
  }

  /** Resolves when it is stopped. */
  async write(place: {
    readonly round: number;
    readonly writer: number;
    readonly space: number;
  }): Promise<readonly StaleWriter[]> {
    const { set, watch } = this.#parts;
    let writer: StaleWriter | undefined;
    while (!this.#isStopping) {
      const highest = watch.highest(this.#uuid);
      if (this.first === undefined && highest !== undefined && highest.term > this.#term) {
        this.first = highest;
        const instance = set.instances.find(({ name }) => name === highest.name);
        const client = instance && (await set.connect(instance).catch(() => undefined));
        writer = client && new StaleWriter(client, place);
      }
      await sleep(10);
    }
    return writer === undefined ? [] : [writer];
  }
}

async function finish(writers: readonly StaleWriter[]): Promise<void> {
  await Promise.all(writers.map((writer) => writer.stop()));
  await waitUntil('everything is answered', () => writers.every(({ isQuiet }) => isQuiet));
  for (const writer of writers) writer.close();
}

async function freeze(instance: LocalInstance, lastsMs: number): Promise<Silence> {
  const { dataPid } = instance;
  instance.pause();
  await waitUntil(`${instance.name} stands still`, () => isStopped(dataPid));
  const fromMs = performance.now();
  await sleep(lastsMs);
  const untilMs = performance.now();
  instance.resume();
  return { fromMs, untilMs };
}

async function block(instance: LocalInstance, lastsMs: number): Promise<Silence> {
  const answer = await instance.request('POST', `/block?ms=${lastsMs}`);
  if (answer.status !== 200) throw new Error(`not blocked: ${JSON.stringify(answer)}`);
  const { fromMs, untilMs } = answer.body as Blocked;
  const aheadMs = sharedMs() - performance.now();
  return { fromMs: fromMs - aheadMs, untilMs: untilMs - aheadMs };
}
