/** Clients that add rows, each with a number of its own, and clients that read all of them. */
import { ClusterError } from '../../runtime/src/core/errors.ts';
import type { Reader, Transaction } from '../../runtime/src/core/storage/engine.ts';
import type { SeededRandom } from '../../runtime/src/testing/seeded-random.ts';
import { ReplicaSetChecker } from './cluster-checker.ts';
import { isOnlyProviderAway } from './cluster-peer-leases.ts';
import {
  outcomeOf,
  pickTarget,
  type SimulatedSet,
  type Workload,
  WRITE_TIMEOUT_MS,
} from './cluster-set.ts';
import { verdict } from './cluster-verdict.ts';
import { RaftChecker } from './raft-checker.ts';

/** One checker for both: what a reader was shown counts as acknowledged. */
export function rowWorkloads(set: SimulatedSet): Readonly<Record<'writers' | 'readers', Workload>> {
  const checker = set.isRaft ? new RaftChecker(set) : new ReplicaSetChecker(set);
  let ids = 0;
  return {
    writers: { checker, client: (_name, random) => write({ set, checker, random }, () => ids++) },
    readers: { client: (_name, random) => read({ set, checker, random }) },
  };
}

interface ClientOptions {
  readonly set: SimulatedSet;
  readonly checker: ReplicaSetChecker;
  readonly random: SeededRandom;
}

async function write(
  { set, checker, random }: ClientOptions,
  nextId: () => number,
): Promise<never> {
  for (;;) {
    await set.clock.sleep(random.fraction() * 120);
    const machine = pickTarget(set, random);
    const { process } = machine;
    if (process === undefined) continue;
    const id = nextId();
    const isRefused = random.chance(0.05);
    const isBefore = set.clock.monotonicMs() < set.script.faultsMs;
    const mustSucceed = isBefore && !isRefused && machine.isWritable;
    const written = process.gate.pass().then(() =>
      process.storage.write((transaction) => addRow(transaction, id, isRefused), {
        timeoutMs: WRITE_TIMEOUT_MS,
      }),
    );
    const outcome = await outcomeOf(
      set.clock,
      written.then(() => 'done', verdict),
    );
    set.count(outcome);
    if (mustSucceed && outcome !== 'done' && isOnlyProviderAway(set.script)) {
      set.violate(`a leader's row ${id}: ${outcome}`);
    }
    if (outcome === 'done') checker.answered(id, machine);
    else if (outcome === 'refused') checker.refused(id);
    else if (outcome !== 'unknown') set.violate(`row ${id}: ${outcome}`);
  }
}

/** What a leader has shown counts as acknowledged, and it shows everything that was acknowledged before. */
async function read({ set, checker, random }: ClientOptions): Promise<never> {
  for (;;) {
    await set.clock.sleep(random.fraction() * 400);
    const { process } = pickTarget(set, random);
    if (process === undefined) continue;
    const before = new Set(checker.acknowledged);
    let ids: readonly number[] = [];
    const shownIds = process.gate.pass().then(async () => {
      ids = await process.storage.read(idsOf, { consistency: 'acknowledged', timeoutMs: 1000 });
    });
    const outcome = await outcomeOf(
      set.clock,
      shownIds.then(() => 'read', verdict),
    );
    if (outcome !== 'read') continue;
    set.count('reads');
    const shown = new Set(ids);
    // Rows may have been lost with all seats meanwhile: what counts is what is still acknowledged.
    const stale = [...before].filter((id) => !shown.has(id) && checker.acknowledged.has(id));
    if (stale.length > 0) set.violate(`a read misses acknowledged rows ${String(stale[0])}`);
    for (const id of ids) checker.shown(id);
  }
}

function addRow(transaction: Transaction, id: number, isRefused: boolean): void {
  const format = [{ name: 'id', type: 'unsigned' as const }];
  transaction.createSpace('rows', { format, ifNotExists: true });
  transaction.createIndex('rows', { name: 'primary', parts: ['id'], ifNotExists: true });
  transaction.insert('rows', [id]);
  if (isRefused) throw new ClusterError('REQUEST_INVALID');
}

function idsOf(reader: Reader): readonly number[] {
  if (reader.space('rows') === undefined) return [];
  return reader.select('rows', []).map((tuple) => Number(tuple[0]));
}
