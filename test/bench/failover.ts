/**
 * How long a replica set takes no writes after a fault, what is lost, and what a cluster costs that nobody uses: real
 * processes, a real etcd, the six instances of the employees (two routers, two replica sets of two), default settings.
 *
 * Writes go on at a steady rate through one router and are never sent again. A few hundred a second come over HTTP;
 * thousands are made in the process of the router, ten rows a call: a small machine cannot serve so many requests. The
 * gap is the time from the fault to the first write that the new leader accepts; for a planned handover, the longest
 * time between two answers.
 */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEtcd, type RealEtcd, startEtcd } from '../support/etcd.ts';
import { LocalCluster } from '../support/local-cluster.ts';
import { ProcessLink } from '../support/process-link.ts';
import { type IdleRow, idleProcesses, idleServices } from './failover/idle.ts';
import { type Round, type RoundPlan, Rounds } from './failover/rounds.ts';
import { loseLeaderWhileAway, loseManyLeaders, stopProvider } from './failover/special-rounds.ts';
import { describe, type Session } from './session.ts';
import { median } from './statistics.ts';

interface Case extends RoundPlan {
  readonly title: string;
  readonly ttlSeconds: number;
  /** Of the median. */
  readonly goalMs: number;
}

export interface FailoverFigure {
  readonly title: string;
  readonly rounds: number;
  readonly medianMs: number | null;
  readonly worstMs: number | null;
  readonly goalMs: number | null;
  readonly acknowledged: number;
  /** Acknowledged ones, until the last answer. */
  readonly writesPerSecond: number;
  /** Answered that nothing was done, or without an answer. */
  readonly failed: number;
  readonly missing: number;
}

export interface FailoverReport {
  readonly failover: readonly FailoverFigure[];
  readonly idle: readonly IdleRow[];
}

const APPLICATION = path.join(import.meta.dirname, 'targets/employees-application.ts');
const SLOW = 200;
const FAST = 5000;
const TTL_2 = { ttlSeconds: 2, writesPerSecond: SLOW };
const TTL_1 = { ttlSeconds: 1, writesPerSecond: SLOW };
/** 1.1 lease times and half a second. */
const LEASE_GOAL_MS = 2700;

const cases: readonly Case[] = [
  { title: 'process killed, launcher lives', fault: 'kill', ...TTL_2, goalMs: 500 },
  { title: 'launcher and process killed', fault: 'crash', ...TTL_2, goalMs: LEASE_GOAL_MS },
  { title: 'leader frozen', fault: 'freeze', ...TTL_2, goalMs: LEASE_GOAL_MS },
  { title: 'link to etcd cut', fault: 'cut', ...TTL_2, goalMs: LEASE_GOAL_MS },
  { title: 'follower frozen', fault: 'freeze a follower', ...TTL_2, goalMs: 800 },
  {
    title: 'two leaders killed, of two sets',
    ...{ fault: 'kill', second: 'another set', ...TTL_2, goalMs: 500 },
  },
  {
    title: 'two leaders killed, of one set',
    ...{ fault: 'kill', second: 'the same set', ...TTL_2, goalMs: 500 },
  },
  { title: 'planned, 200 writes/s', fault: 'promote', ...TTL_2, goalMs: 30 },
  {
    title: 'planned, 5000 writes/s',
    ...{ fault: 'promote', ttlSeconds: 2, writesPerSecond: FAST, rowsPerCall: 10, goalMs: 30 },
  },
  { title: 'launcher and process killed, TTL 1 s', fault: 'crash', ...TTL_1, goalMs: 1600 },
  { title: 'leader frozen, TTL 1 s', fault: 'freeze', ...TTL_1, goalMs: 1600 },
  { title: 'link to etcd cut, TTL 1 s', fault: 'cut', ...TTL_1, goalMs: 1600 },
];

const STOPPED = 'etcd stopped for a minute, 1000 writes/s';
/** Half a minute each. */
const AWAY_ROUNDS_MAX = 10;
const awayCases = [
  { title: 'process killed while etcd is away', fault: 'kill', goalMs: 1000 },
  // 1.1 lease times and a second.
  { title: 'launcher and process killed while etcd is away', fault: 'crash', goalMs: 3200 },
] as const;
const MANY = [5, 10, 20];
const IDLE = 'idle';
const IDLE_PROCESSES = [5, 20];
const IDLE_SERVICES = [6, 50, 200];

export async function runFailover(session: Session): Promise<FailoverReport> {
  const suite = new FailoverSuite(session);
  const failover: FailoverFigure[] = [];
  for (const ttlSeconds of [2, 1]) failover.push(...(await suite.cases(ttlSeconds)));
  failover.push(...(await suite.special(STOPPED, stopProvider, null)));
  const rounds = Math.min(session.options.rounds, AWAY_ROUNDS_MAX);
  for (const { title, fault, goalMs } of awayCases) {
    const lose = (etcd: RealEtcd): Promise<Round> => loseLeaderWhileAway(etcd, fault, rounds);
    failover.push(...(await suite.special(title, lose, goalMs)));
  }
  for (const sets of MANY) {
    const lose = (etcd: RealEtcd): Promise<Round> => loseManyLeaders(etcd, sets);
    failover.push(...(await suite.special(`${sets} leaders killed at once`, lose, 1500)));
  }
  return { failover, idle: await suite.idle() };
}

class FailoverSuite {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async cases(ttlSeconds: number): Promise<readonly FailoverFigure[]> {
    const wanted = cases.filter(
      (one) => one.ttlSeconds === ttlSeconds && this.#isWanted(one.title),
    );
    if (wanted.length === 0) return [];
    return this.#withEtcd(async (etcd) => {
      const link = await ProcessLink.open(etcd.endpoint);
      let bed = await startBed(link, ttlSeconds);
      const figures: FailoverFigure[] = [];
      try {
        for (const one of wanted) {
          const rounds = new Rounds(bed);
          const { done, isUsable } = await this.#repeat(rounds, one);
          figures.push(this.#figure(one.title, one.goalMs, done));
          if (isUsable) continue;
          await bed.cluster.stop();
          bed = await startBed(link, ttlSeconds);
        }
      } finally {
        await bed.cluster.stop();
        await link.close();
      }
      return figures;
    });
  }

  /** What fails ends the rounds of a case, with a note: the cluster may be in any state then. */
  async #repeat(
    rounds: Rounds,
    one: Case,
  ): Promise<{ readonly done: readonly Round[]; readonly isUsable: boolean }> {
    const done: Round[] = [];
    try {
      for (let round = 0; round < this.#session.options.rounds; round++) {
        done.push(await rounds.run(one));
      }
      return { done, isUsable: true };
    } catch (error) {
      this.#session.note(`${one.title}: ${describe(error)}`);
      return { done, isUsable: false };
    }
  }

  async special(
    title: string,
    run: (etcd: RealEtcd) => Promise<Round>,
    goalMs: number | null,
  ): Promise<readonly FailoverFigure[]> {
    if (!this.#isWanted(title)) return [];
    try {
      const round = await this.#withEtcd(run);
      return [this.#figure(title, goalMs, [round])];
    } catch (error) {
      this.#session.note(`${title}: ${describe(error)}`);
      return [];
    }
  }

  async idle(): Promise<readonly IdleRow[]> {
    if (!this.#isWanted(IDLE)) return [];
    const seconds = Math.max(10, this.#session.options.seconds);
    return this.#withEtcd(async (etcd) => {
      const rows: IdleRow[] = [];
      const measure = async (instances: number, how: typeof idleProcesses): Promise<void> => {
        try {
          rows.push(await how(etcd, instances, seconds));
        } catch (error) {
          this.#session.note(`${instances} idle instances: ${describe(error)}`);
        }
      };
      for (const instances of IDLE_PROCESSES) await measure(instances, idleProcesses);
      for (const instances of IDLE_SERVICES) await measure(instances, idleServices);
      return rows;
    });
  }

  async #withEtcd<T>(work: (etcd: RealEtcd) => Promise<T>): Promise<T> {
    const binary = findEtcd();
    if (binary === undefined) throw new Error('no etcd: install etcd-server, or set ETCD_BIN');
    const etcd = await startEtcd(binary);
    try {
      return await work(etcd);
    } finally {
      etcd.resume();
      await etcd.stop();
    }
  }

  #figure(title: string, goalMs: number | null, rounds: readonly Round[]): FailoverFigure {
    const gaps = rounds.flatMap(({ gapsMs }) => gapsMs);
    const sum = (of: (round: Round) => number): number =>
      rounds.reduce((total, round) => total + of(round), 0);
    const acknowledged = sum((round) => round.acknowledged);
    const ranMs = sum((round) => round.ranMs);
    const figure = {
      ...{ title, goalMs, rounds: rounds.length },
      medianMs: gaps.length === 0 ? null : median(gaps),
      worstMs: gaps.length === 0 ? null : Math.max(...gaps),
      acknowledged,
      writesPerSecond: ranMs === 0 ? 0 : (acknowledged * 1000) / ranMs,
      failed: sum(({ failed }) => [...failed.values()].reduce((all, count) => all + count, 0)),
      missing: sum(({ missing }) => missing),
    };
    const all = gaps.map((gap) => Math.round(gap)).join(' ');
    const rate = `${Math.round(figure.writesPerSecond)} writes/s`;
    const outcome = `${figure.failed} failed, ${figure.missing} missing`;
    this.#session.say(`${title}: ${all} ms, ${rate}, ${outcome}`);
    for (const reason of new Set(rounds.flatMap(({ reasons }) => reasons)))
      this.#session.say(`  ${reason}`);
    return figure;
  }

  #isWanted(title: string): boolean {
    const { only } = this.#session.options;
    return only.length === 0 || only.some((text) => title.includes(text));
  }
}

async function startBed(
  link: ProcessLink,
  ttlSeconds: number,
): Promise<{ readonly cluster: LocalCluster; readonly link: ProcessLink }> {
  const prefix = `/bench-${Date.now()}/`;
  const cluster = await LocalCluster.start({
    provider: { kind: 'etcd', endpoints: [link.endpoint], prefix },
    ...{ routers: 2, storages: [2, 2], fencingTtlSeconds: ttlSeconds },
    application: APPLICATION,
    environment: { TONEARM_LOG_LEVEL: 'info' },
  });
  await delay(3000);
  return { cluster, link };
}
