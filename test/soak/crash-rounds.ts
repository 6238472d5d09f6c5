/**
 * Rounds of kill -9 of the process that holds the data of a replica set of one, under load over the binary port:
 * while it writes, while it takes a snapshot, and while it recovers from the kill before.
 */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';
import { readLog } from './row-checker.ts';
import { RowWriters } from './row-writers.ts';

export type CrashMode = 'write' | 'fsync';

export interface CrashOptions {
  readonly mode: CrashMode;
  /** What must be ended when the soak is. */
  readonly running: AsyncDisposableStack;
  /** Another one has a bug that the rounds are to find. */
  readonly application?: string;
  /** Of the space that is written to; default memory. */
  readonly engine?: 'memory' | 'disk';
}

type Moment = 'writing' | 'snapshot' | 'recovery';

const MOMENTS: readonly Moment[] = ['writing', 'writing', 'snapshot', 'recovery'];
const WRITE_MS_MAX = 400;
const SNAPSHOT_MS_MAX = 60;
const RECOVERIES_MAX = 2;
const FORGOTTEN_BOOTS = 0.3;
const SNAPSHOT_PATIENCE_MS = 4000;

/** As many snapshots as the options allow. */
export const OFTEN = {
  TONEARM_CHECKPOINT_INTERVAL: '1',
  TONEARM_CHECKPOINT_WAL_THRESHOLD: String(1024 * 1024),
  TONEARM_LOG_LEVEL: 'info',
};
export const ROWS = path.join(import.meta.dirname, 'fixtures/rows-application.ts');

export async function runCrashRounds(
  { mode, running, application = ROWS, engine = 'memory' }: CrashOptions,
  rounds: RealRounds,
): Promise<RealReport> {
  const starting = ReplicaSet.start({
    ...{ instances: 1, application, role: 'soak.rows' },
    environment: { ...OFTEN, TONEARM_WAL_MODE: mode, SOAK_ENGINE: engine },
  });
  const set = running.adopt(await starting, (started) => started.stop());
  const crash = new CrashRounds(set, rounds.random, engine);
  for (let round = 0; rounds.goesOn(round); round++) {
    const told = await crash.round(round);
    rounds.tell(`round ${round}: ${told}`);
    if (crash.violations.length > 0) break;
  }
  return { violations: crash.violations, counts: crash.counts };
}

class CrashRounds {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #set: ReplicaSet;
  readonly #engine: 'memory' | 'disk';
  readonly #instance: LocalInstance;
  readonly #random: SeededRandom;
  readonly #writers: RowWriters;
  /** From a start to a writable leader. */
  #startMs = 1500;

  constructor(set: ReplicaSet, random: SeededRandom, engine: 'memory' | 'disk') {
    this.#set = set;
    this.#engine = engine;
    this.#random = random;
    this.#writers = new RowWriters(set, random);
    this.#instance = set.instances[0]!;
  }

  /** What happened in it. */
  async round(number: number): Promise<string> {
    const moment = this.#random.pick(MOMENTS);
    count(this.counts, 'rounds');
    if (this.#random.chance(0.5)) await this.#checkLive();
    const load = await this.#writers.load(this.#instance);
    await sleep(this.#random.integer(WRITE_MS_MAX));
    if (moment === 'snapshot') await this.#snapshotBegins();
    const isTaking = this.#isTakingSnapshot;
    await this.#kill();
    await load.ended();
    if (isTaking) count(this.counts, 'in a snapshot');
    const { end } = this.#checkLog();
    // It would refuse to start: what is wrong with it is known.
    if (this.violations.length > 0) return `${moment}, log to row ${end}`;
    if (moment === 'recovery') await this.#killWhileRecovering();
    await this.#start();
    const steps = await this.#check(number);
    const { acknowledgements: acknowledged, surprises } = load;
    this.violations.push(...surprises);
    this.counts['acknowledged'] = (this.counts['acknowledged'] ?? 0) + acknowledged;
    count(this.counts, moment);
    return `${moment}, log to row ${end}, acknowledged ${acknowledged}, ${steps}`;
  }

  /** A start builds indexes anew: what is wrong with those of a process is only seen while it runs. */
  async #checkLive(): Promise<void> {
    const load = await this.#writers.load(this.#instance);
    await sleep(this.#random.integer(WRITE_MS_MAX));
    await load.finish();
    const { violations } = await this.#writers.read(this.#instance);
    this.violations.push(...violations, ...load.surprises);
    count(this.counts, 'checked while it runs');
  }

  /** The process of the data alone: the launcher sees it, and ends. */
  async #kill(): Promise<void> {
    await this.#instance.killDataProcess();
  }

  async #killWhileRecovering(): Promise<void> {
    const times = 1 + this.#random.integer(RECOVERIES_MAX);
    for (let time = 0; time < times; time++) {
      this.#instance.start();
      await sleep(this.#startMs * (0.3 + 0.7 * this.#random.fraction()));
      await this.#instance.crash();
      this.#checkLog();
      count(this.counts, 'killed in recovery');
    }
  }

  async #start(): Promise<void> {
    this.#mayForgetBoot();
    const startedMs = performance.now();
    this.#instance.start();
    await this.#set.leader();
    this.#startMs = performance.now() - startedMs;
  }

  /** As after a crash of the machine: rows on the disk are made anew, from a snapshot and the log. */
  #mayForgetBoot(): void {
    if (this.#engine !== 'disk' || !this.#random.chance(FORGOTTEN_BOOTS)) return;
    rmSync(path.join(this.#instance.workdir, 'data', 'disk-rows', 'opened.txt'));
    count(this.counts, 'disk rows made anew');
  }

  async #snapshotBegins(): Promise<void> {
    const untilMs = performance.now() + SNAPSHOT_PATIENCE_MS;
    while (!this.#isTakingSnapshot && performance.now() < untilMs) await sleep(1);
    await sleep(this.#random.integer(SNAPSHOT_MS_MAX));
  }

  get #isTakingSnapshot(): boolean {
    try {
      const folder = path.join(this.#instance.workdir, 'data', 'snapshot-writing');
      return readdirSync(folder).length > 0;
    } catch {
      return false;
    }
  }

  #checkLog(): { readonly end: number } {
    const { end, violations } = readLog(this.#instance.workdir);
    this.violations.push(...violations);
    return { end };
  }

  async #check(number: number): Promise<string> {
    const { rows, violations } = await this.#writers.read(this.#instance);
    const settled = this.#writers.settle(rows);
    for (const violation of [...violations, ...settled.violations])
      this.violations.push(`round ${number}: ${violation}`);
    return settled.told;
  }
}
