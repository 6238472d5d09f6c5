/**
 * Rounds in which the disk fails under load: one write or one sync of the log, with EIO or for want of room.
 *
 * The instance ends by itself and says what to do. What the failed call covered was never acknowledged, so that after
 * the next start nothing is missing. In a replica set the others go on, and show why one of them is not there.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type CrashMode, OFTEN } from './crash-rounds.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';
import { readLog } from './row-checker.ts';
import { RowWriters } from './row-writers.ts';

export interface DiskErrorOptions {
  readonly mode: CrashMode;
  readonly instances: number;
  /** What must be ended when the soak is. */
  readonly running: AsyncDisposableStack;
  /** The bug that the rounds are to find: failures are passed over. */
  readonly isHidden?: boolean;
}

interface Fault {
  readonly call: 'write' | 'sync';
  readonly code: 'EIO' | 'ENOSPC';
  readonly loses: boolean;
  readonly isHidden: boolean;
}

const FAILING = path.join(import.meta.dirname, 'fixtures/failing-disk-application.ts');
const WRITE_MS_MAX = 400;
/** Enough for many more acknowledgements. */
const HIDDEN_MS = 100;

export async function runDiskErrors(
  { mode, instances, running, isHidden = false }: DiskErrorOptions,
  rounds: RealRounds,
): Promise<RealReport> {
  const starting = ReplicaSet.start({
    ...{ instances, application: FAILING, role: 'soak.rows' },
    environment: { ...OFTEN, TONEARM_WAL_MODE: mode },
  });
  const set = running.adopt(await starting, (started) => started.stop());
  const errors = new DiskErrors(set, { mode, isHidden }, rounds.random);
  for (let round = 0; rounds.goesOn(round); round++) {
    rounds.tell(`round ${round}: ${await errors.round()}`);
    if (errors.violations.length > 0) break;
  }
  return { violations: errors.violations, counts: errors.counts };
}

export class DiskErrors {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #set: ReplicaSet;
  readonly #kind: { readonly mode: CrashMode; readonly isHidden: boolean };
  readonly #random: SeededRandom;
  readonly #writers: RowWriters;

  constructor(
    set: ReplicaSet,
    kind: { readonly mode: CrashMode; readonly isHidden: boolean },
    random: SeededRandom,
  ) {
    this.#set = set;
    this.#kind = kind;
    this.#random = random;
    this.#writers = new RowWriters(set, random);
  }

  /** What happened in it. */
  async round(): Promise<string> {
    const fault = this.#fault();
    const leader = await this.#set.settled();
    const broken = this.#random.chance(0.6) ? leader : this.#random.pick(this.#set.instances);
    const load = await this.#writers.load(leader);
    await sleep(this.#random.integer(WRITE_MS_MAX));
    const saidBefore = broken.log().length;
    order(broken, fault);
    await this.#ends(broken, fault);
    if (!fault.isHidden) this.#checkEnd(broken, fault, broken.log().slice(saidBefore));
    const others = await this.#others(broken);
    if (broken === leader) await load.ended();
    broken.start();
    await this.#set.settled();
    await load.finish();
    const told = await this.#check();
    this.violations.push(...load.surprises);
    this.counts['acknowledged'] = (this.counts['acknowledged'] ?? 0) + load.acknowledgements;
    count(this.counts, `${fault.call} ${fault.code}`);
    if (broken === leader) count(this.counts, 'of the leader');
    count(this.counts, 'rounds');
    return `${fault.call} of ${broken.name} fails with ${fault.code}, ${others}${told}`;
  }

  /** A sync that fails may lose what it was to keep: in mode `write` that is not what was promised of a disk. */
  #fault(): Fault {
    const call = this.#random.pick(['write', 'sync'] as const);
    const { mode, isHidden } = this.#kind;
    const code = this.#random.pick(['EIO', 'ENOSPC'] as const);
    return { call, code, loses: mode === 'fsync', isHidden };
  }

  async #ends(broken: LocalInstance, { isHidden }: Fault): Promise<void> {
    if (isHidden) {
      await sleep(HIDDEN_MS);
      await broken.killDataProcess();
    }
    await waitUntil(`${broken.name} ends`, () => !broken.isRunning, 60_000);
  }

  #checkEnd(broken: LocalInstance, { code }: Fault, said: string): void {
    if (broken.exitCode !== 1)
      this.violations.push(`${broken.name} has ended with ${broken.exitCode ?? 'a signal'}, not 1`);
    const advice =
      code === 'EIO' ? 'The disk has failed \\(EIO\\)' : 'The disk is full \\(ENOSPC\\)';
    if (!new RegExp(advice).test(said))
      this.violations.push(`${broken.name} does not say: ${advice}`);
    this.violations.push(...readLog(broken.workdir).violations);
  }

  /** They have a leader, and show why one of them is not there. */
  async #others(broken: LocalInstance): Promise<string> {
    const others = this.#set.instances.filter((instance) => instance !== broken);
    if (others.length === 0) return '';
    const next = await this.#set.leader();
    for (const other of others) await this.#shows(other, broken.name);
    return `${next.name} leads, `;
  }

  async #shows(instance: LocalInstance, name: string): Promise<void> {
    const shows = async (): Promise<boolean> => {
      const { issues } = await instance.status();
      const about = issues.filter(({ message }) => message.startsWith(`${name} `));
      return about.some(({ topic }) => topic === 'peer-stopped');
    };
    await waitUntil(`${instance.name} shows that ${name} has stopped`, shows).catch(
      (error: unknown) => this.violations.push(String(error)),
    );
  }

  async #check(): Promise<string> {
    const { violations, told } = await this.#writers.check();
    this.violations.push(...violations);
    for (const instance of this.#set.instances) {
      const isOver = async (): Promise<boolean> => {
        const { issues } = await instance.status();
        return issues.every(({ topic }) => topic !== 'peer-stopped');
      };
      await waitUntil(`${instance.name} shows no more that one has stopped`, isOver).catch(
        (error: unknown) => this.violations.push(String(error)),
      );
    }
    return told;
  }
}

function order({ workdir }: LocalInstance, fault: Fault): void {
  writeFileSync(path.join(workdir, 'fault.json'), `${JSON.stringify(fault)}\n`);
}
