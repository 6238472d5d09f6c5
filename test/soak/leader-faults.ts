/**
 * Rounds of faults against leaders, followers, coordinators and the state provider of a cluster of real processes,
 * one or two at a time, while writes go on.
 *
 * After each round every replica set has a leader again and all its instances are equal; at the end every acknowledged
 * row is there, no refused one is, and at no moment two instances of a set were writable leaders.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { EmployeeWriter } from '../support/employee-writer.ts';
import type { RealEtcd } from '../support/etcd.ts';
import { LeaderWatch } from '../support/leader-watch.ts';
import type { LocalCluster } from '../support/local-cluster.ts';
import type { LocalInstance } from '../support/local-instance.ts';
import { waitUntil } from '../support/wait-until.ts';
import { count, type RealReport, type RealRounds } from './kill-round.ts';

type Fault = 'kill' | 'crash' | 'stop' | 'freeze' | 'freeze-etcd';

const FAULTS: readonly Fault[] = ['kill', 'crash', 'stop', 'freeze', 'freeze-etcd'];
const FREEZE_MS_MAX = 4000;
/** A writer has a thousand salaries of its own, below the greatest that the application accepts. */
const SALARIES = 1000;

export async function runLeaderFaults(
  { cluster, etcd }: { readonly cluster: LocalCluster; readonly etcd: RealEtcd },
  { random, goesOn, tell }: RealRounds,
): Promise<RealReport> {
  const counts: Record<string, number> = {};
  const watch = new LeaderWatch(cluster);
  // Through any router that answers: one that is being started or killed gives no answer, and another is asked.
  const through = (): LocalInstance => random.pick(cluster.routers);
  const writers = cluster.storages.map(
    (_, set) =>
      new EmployeeWriter({
        ...{ cluster, set, through },
        prefix: `soak-${set}`,
        salaryFrom: (set + 1) * SALARIES,
      }),
  );
  try {
    for (let round = 0; goesOn(round); round++) {
      const startedMs = performance.now();
      const faults = pickFaults(cluster, random);
      tell(`round ${round}: ${faults.map(tale).join(', ')}`);
      await Promise.all(
        faults.map(async (fault) => {
          count(counts, fault.kind);
          await sleep(fault.afterMs);
          await inflict(fault, etcd);
        }),
      );
      for (const set of cluster.storages.keys()) await cluster.settled(set);
      for (const writer of writers) await writer.acknowledges(5);
      count(counts, 'rounds');
      tell(`  settled after ${Math.round(performance.now() - startedMs)} ms`);
    }
  } finally {
    for (const writer of writers) await writer.stop();
    await watch.stop();
  }
  const violations = [...watch.violations];
  for (const writer of writers) {
    violations.push(...writer.surprises, ...(await differences(writer)));
    counts['writes'] = (counts['writes'] ?? 0) + writer.acknowledged.length;
  }
  return { violations, counts };
}

interface PlannedFault {
  readonly kind: Fault;
  readonly victim: LocalInstance;
  readonly afterMs: number;
  readonly lastsMs: number;
}

function tale({ kind, victim, afterMs, lastsMs }: PlannedFault): string {
  if (kind === 'freeze-etcd') return `etcd frozen after ${afterMs} ms for ${lastsMs} ms`;
  const lasts = kind === 'freeze' ? ` for ${lastsMs} ms` : '';
  return `${kind} ${victim.name} after ${afterMs} ms${lasts}`;
}

/** Never two on one instance: what a second one meets would be no process. */
function pickFaults(cluster: LocalCluster, random: SeededRandom): readonly PlannedFault[] {
  const first = random.pick(cluster.instances);
  const others = cluster.instances.filter((instance) => instance !== first);
  const victims = random.chance(0.4) ? [first, random.pick(others)] : [first];
  return victims.map((victim) => ({
    victim,
    kind: random.pick(FAULTS),
    afterMs: random.integer(500),
    lastsMs: random.integer(FREEZE_MS_MAX),
  }));
}

async function inflict({ kind, victim, lastsMs }: PlannedFault, etcd: RealEtcd): Promise<void> {
  if (kind === 'freeze-etcd') {
    etcd.pause();
    await sleep(lastsMs);
    etcd.resume();
    return;
  }
  if (kind === 'freeze') {
    victim.pause();
    await sleep(lastsMs);
    victim.resume();
    return;
  }
  if (kind === 'kill') await victim.killDataProcess();
  else if (kind === 'crash') await victim.crash();
  else await victim.stop('SIGTERM');
  victim.start();
}

async function differences(writer: EmployeeWriter): Promise<readonly string[]> {
  const wanted = writer.acknowledged.toSorted();
  const stored = await waitUntil('the rows can be listed', () => writer.stored());
  if (isDeepStrictEqual(stored, wanted)) return [];
  const missing = wanted.filter((id) => !stored.includes(id));
  const strange = stored.filter((id) => !wanted.includes(id));
  return [
    `acknowledged and missing: ${missing.join(', ')}; there and not acknowledged: ${strange.join(', ')}`,
  ];
}
