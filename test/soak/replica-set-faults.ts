/**
 * Rounds of faults in a replica set of three that is in sync, under load over the binary port: its leader is killed or
 * frozen, or a follower is.
 *
 * After each round the leader has every acknowledged row, what it has is a prefix of what was sent, all instances have
 * the same rows, and what a deposed leader had alone does not come back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { OFTEN, ROWS } from './crash-rounds.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';
import { RowWriters } from './row-writers.ts';

const FAULTS = [
  'kill the leader',
  'crash the leader',
  'freeze the leader',
  'kill a follower',
  'freeze a follower',
  'freeze a follower and kill the leader',
] as const;
type Fault = (typeof FAULTS)[number];

const WRITE_MS_MAX = 400;
const FREEZE_MS_MAX = 4000;
const AFTER_MS_MAX = 500;

export async function runReplicaSetFaults(
  running: AsyncDisposableStack,
  rounds: RealRounds,
): Promise<RealReport> {
  const starting = ReplicaSet.start({
    ...{ instances: 3, application: ROWS, role: 'soak.rows' },
    environment: OFTEN,
  });
  const set = running.adopt(await starting, (started) => started.stop());
  const faults = new ReplicaSetFaults(set, rounds.random);
  for (let round = 0; rounds.goesOn(round); round++) {
    const startedMs = performance.now();
    const told = await faults.round();
    rounds.tell(`round ${round}: ${told}, ${Math.round(performance.now() - startedMs)} ms`);
    if (faults.violations.length > 0) break;
  }
  return { violations: faults.violations, counts: faults.counts };
}

class ReplicaSetFaults {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #set: ReplicaSet;
  readonly #random: SeededRandom;
  readonly #writers: RowWriters;

  constructor(set: ReplicaSet, random: SeededRandom) {
    this.#set = set;
    this.#random = random;
    this.#writers = new RowWriters(set, random);
  }

  /** What happened in it. */
  async round(): Promise<string> {
    const leader = await this.#set.settled();
    const load = await this.#writers.load(leader);
    const fault = this.#random.pick(FAULTS);
    await sleep(this.#random.integer(WRITE_MS_MAX));
    await this.#inflict(fault, leader);
    const next = await this.#set.settled();
    // Where the leader stayed the writers still write. What comes late from one that was deposed counts as well.
    await load.finish().catch((error: unknown) => this.violations.push(String(error)));
    const { violations, told } = await this.#writers.check();
    this.violations.push(...violations, ...load.surprises);
    this.counts['acknowledged'] = (this.counts['acknowledged'] ?? 0) + load.acknowledgements;
    count(this.counts, fault);
    count(this.counts, 'rounds');
    if (next !== leader) count(this.counts, 'other leader');
    const refusals = load.refusals.length === 0 ? '' : `, ${load.refusals[0] ?? ''}`;
    return `${fault}: ${leader.name} to ${next.name}, ${told}${refusals}`;
  }

  async #inflict(fault: Fault, leader: LocalInstance): Promise<void> {
    const random = this.#random;
    const follower = random.pick(this.#set.instances.filter((instance) => instance !== leader));
    const lastsMs = random.integer(FREEZE_MS_MAX);
    switch (fault) {
      case 'kill the leader':
        await leader.killDataProcess();
        {
          leader.start();
          return;
        }
      case 'crash the leader':
        await leader.crash();
        {
          leader.start();
          return;
        }
      case 'freeze the leader':
        return freeze(leader, lastsMs);
      case 'kill a follower':
        await follower.killDataProcess();
        {
          follower.start();
          return;
        }
      case 'freeze a follower':
        return freeze(follower, lastsMs);
      case 'freeze a follower and kill the leader':
        follower.pause();
        await sleep(random.integer(AFTER_MS_MAX));
        await leader.killDataProcess();
        await sleep(random.integer(AFTER_MS_MAX));
        follower.resume();
        {
          leader.start();
          return;
        }
    }
  }
}

async function freeze(instance: LocalInstance, lastsMs: number): Promise<void> {
  instance.pause();
  await sleep(lastsMs);
  instance.resume();
}
