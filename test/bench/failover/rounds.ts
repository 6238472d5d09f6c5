/**
 * One fault after the other under writes, each on a cluster that has settled: how long until the first write that the
 * new leader accepted, which writes failed, and which acknowledged ones are missing afterwards.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { LocalCluster } from '../../support/local-cluster.ts';
import type { LocalInstance } from '../../support/local-instance.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { type Bed, type Fault, type FaultName, faults } from './faults.ts';
import { RouterLoad } from './router-load.ts';
import { type Load, longestSilence, WriteLoad } from './write-load.ts';

export interface RoundPlan {
  readonly fault: FaultName;
  /** After so long a second one, of the same kind: on another replica set, or on this one once it is in sync again. */
  readonly second?: 'another set' | 'the same set';
  readonly writesPerSecond: number;
  /** In calls of so many rows, made in the process of the router; without it one by one over HTTP. */
  readonly rowsPerCall?: number;
}

export interface Round {
  /** Until the first write that was accepted after the fault, of each replica set that was struck. */
  readonly gapsMs: readonly number[];
  readonly acknowledged: number;
  /** Until the last answer. */
  readonly ranMs: number;
  readonly failed: ReadonlyMap<number, number>;
  readonly reasons: readonly string[];
  readonly missing: number;
}

const CALM_MS = 700;
/** Faults strike at any moment between two renewals of a lease. */
const PHASE_MS = 800;
const SECOND_AFTER_MS = 300;
const RECOVERY_LIMIT_MS = 20_000;
/** After the new leader was seen: so long writes must go on before the round ends. */
const STEADY_MS = 400;

interface Struck {
  readonly set: number;
  readonly victim: LocalInstance;
  readonly atMs: number;
}

export class Rounds {
  readonly #bed: Bed;
  /** Each round writes rows that a listing of greater salaries finds alone. */
  #salary = 1000 + Math.floor(performance.now() / 1000);

  /** In the present round, before its end. */
  readonly #undone = new Set<LocalInstance>();

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  async run(plan: RoundPlan): Promise<Round> {
    const { cluster } = this.#bed;
    await Promise.all(cluster.storages.map((_, set) => cluster.settled(set)));
    const salary = this.#salary++;
    const sets = plan.second === 'another set' ? [0, 1] : [0];
    const options = { cluster, sets, salary, perSecond: plan.writesPerSecond };
    const { rowsPerCall } = plan;
    const load: Load =
      rowsPerCall === undefined
        ? new WriteLoad(options)
        : await RouterLoad.start({ ...options, rowsPerCall });
    const struck: Struck[] = [];
    try {
      await delay(CALM_MS + Math.random() * PHASE_MS);
      struck.push(await this.#strike(plan.fault, 0));
      if (plan.second === 'another set') {
        await delay(SECOND_AFTER_MS);
        struck.push(await this.#strike(plan.fault, 1));
      }
      await this.#recovered(plan.fault, struck);
      if (plan.second === 'the same set') await this.#strikeAgain(plan.fault, struck);
    } finally {
      const left = struck.filter(({ victim }) => !this.#undone.has(victim));
      await Promise.all(
        left.map(({ victim }) => faults[plan.fault].undo(this.#bed, victim).catch(ignore)),
      );
      this.#undone.clear();
      await load.stop();
    }
    return {
      gapsMs: struck.map((each, index) => gapOf(load, plan.fault, each, struck[index + 1])),
      acknowledged: load.acknowledged.length,
      ranMs: load.ranMs,
      failed: load.failed,
      reasons: [...load.reasons],
      missing: await missingOf(cluster, load, salary),
    };
  }

  async #strike(name: FaultName, set: number): Promise<Struck> {
    const { cluster } = this.#bed;
    const fault: Fault = faults[name];
    const leader = await cluster.leaderOf(set);
    const others = (cluster.storages[set] ?? []).filter((instance) => instance !== leader);
    const victim = fault.on === 'leader' ? leader : (others[0] ?? leader);
    const atMs = performance.now();
    await fault.inflict(this.#bed, victim);
    return { set, victim, atMs };
  }

  /** The first victim is back and in sync, then the leader of now is struck. */
  async #strikeAgain(name: FaultName, struck: Struck[]): Promise<void> {
    const [first] = struck;
    if (first === undefined) return;
    await faults[name].undo(this.#bed, first.victim);
    this.#undone.add(first.victim);
    await waitUntil('all are in sync again', async () => {
      const leader = await this.#bed.cluster.leaderOf(first.set);
      const status = await leader.status(2000);
      return status.replicaSet?.inSync.length === this.#bed.cluster.storages[first.set]?.length;
    });
    const again = await this.#strike(name, first.set);
    this.#undone.delete(again.victim);
    struck.push(again);
    await this.#recovered(name, [again]);
  }

  async #recovered(name: FaultName, struck: readonly Struck[]): Promise<void> {
    const isOfFollower = faults[name].on === 'follower';
    for (const { set, victim } of struck) {
      const others = (this.#bed.cluster.storages[set] ?? []).filter((other) => other !== victim);
      await waitUntil(
        `storage ${set + 1} has another leader`,
        async () => {
          for (const other of others) {
            const status = await other.status(1000);
            const inSync = status.replicaSet?.inSync ?? [];
            if (status.replicaSet?.writable !== true) continue;
            if (!isOfFollower || inSync.length === others.length) return true;
          }
          return false;
        },
        RECOVERY_LIMIT_MS,
      );
    }
    await delay(STEADY_MS);
  }
}

/** How many of the acknowledged rows are not there now. */
export async function missingOf(
  cluster: LocalCluster,
  load: Load,
  salary: number,
): Promise<number> {
  const stored = await waitUntil('the rows can be listed', async () => {
    const answer = await cluster.router.request('GET', `/employees?salary=${salary}`);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    return new Set((answer.body as { employee_id: string }[]).map((row) => row.employee_id));
  });
  return load.acknowledged.filter(({ id }) => !stored.has(id)).length;
}

/** A leader that hands over still answers after the fault: there the longest time between two answers counts. */
function gapOf(load: Load, name: FaultName, { set, atMs }: Struck, next?: Struck): number {
  const untilMs = next?.set === set ? next.atMs : Number.POSITIVE_INFINITY;
  const times = load.acknowledged
    .filter((row) => row.set === set && row.atMs < untilMs)
    .map((row) => row.atMs);
  const silence = longestSilence(times, atMs);
  return name === 'promote' ? silence.ms : silence.endedMs - atMs;
}

function ignore(): void {
  // What could not be undone shows in the next round, which does not settle.
}
