/**
 * What followers cost a writer: ours with none, one and two that are in sync, each of which must have a row before it is
 * acknowledged, beside Tarantool with none and with one asynchronous replica.
 *
 * All processes share the machine, so each set is started, measured and ended before the next: an idle follower of one
 * must not take from another.
 */
import { freePorts } from '../support/ports.ts';
import { rowsMaxOf } from './build-target.ts';
import { buildComparison, type Comparison, type SuiteResult } from './comparison.ts';
import { renderFigure } from './render.ts';
import { addReplica } from './replica.ts';
import { describe, type Session } from './session.ts';
import { orderOfRound } from './statistics.ts';
import type { Sample, Shape } from './subject.ts';
import { Tarantool } from './targets/tarantool.ts';
import type { Target } from './targets/target.ts';
import { Tonearm } from './targets/tonearm.ts';

interface Entrant {
  readonly server: 'tonearm' | 'tarantool';
  readonly followers: number;
}

const entrants: readonly Entrant[] = [
  { server: 'tonearm', followers: 0 },
  { server: 'tonearm', followers: 1 },
  { server: 'tonearm', followers: 2 },
  { server: 'tarantool', followers: 0 },
  { server: 'tarantool', followers: 1 },
];

/** Each of ours beside both of Tarantool's: without a replica, and with one. */
const compared: readonly (readonly [Entrant, Entrant])[] = entrants
  .filter(({ server }) => server === 'tonearm')
  .flatMap((ours) =>
    entrants
      .filter(({ server }) => server === 'tarantool')
      .map((theirs): readonly [Entrant, Entrant] => [ours, theirs]),
  );

const shape: Shape = { operation: 'insert', connections: 16, depth: 16 };

export async function runReplication(session: Session): Promise<SuiteResult> {
  const samples = new Map<string, Sample[]>(entrants.map((entrant) => [nameOf(entrant), []]));
  const present = entrants.filter(({ server }) => session.takesPart(server));
  for (let round = 0; round < session.options.rounds; round++) {
    for (const entrant of orderOfRound(present, round)) {
      const sample = await measure(session, entrant);
      if (sample === undefined) continue;
      samples.get(nameOf(entrant))?.push(sample);
      const figures = `${renderFigure(sample.opsPerSecond, 'per-second')}, p99 ${sample.p99Ms} ms`;
      session.say(`insert 16x16 round ${round + 1}: ${nameOf(entrant)} ${figures}`);
    }
  }
  const figures = (entrant: Entrant, figure: 'opsPerSecond' | 'p99Ms'): readonly number[] =>
    (samples.get(nameOf(entrant)) ?? []).map((sample) => sample[figure]);
  const comparisons = (['opsPerSecond', 'p99Ms'] as const).flatMap((figure) =>
    compared.map(([ours, theirs]): Comparison => {
      const what = figure === 'p99Ms' ? 'p99, ' : 'insert, ';
      return buildComparison({
        id: `${figure} ${ours.followers} ${theirs.followers}`,
        title: `${what}${countOf(ours, 'follower')}`,
        against: `Tarantool, ${countOf(theirs, 'replica')}`,
        unit: figure === 'p99Ms' ? 'ms' : 'per-second',
        goal: null,
        ours: figures(ours, figure),
        theirs: figures(theirs, figure),
      });
    }),
  );
  return { comparisons, samples: Object.fromEntries(samples) };
}

async function measure(session: Session, entrant: Entrant): Promise<Sample | undefined> {
  const { rows, seconds } = session.options;
  const leader = await session.open(await buildLeader(session, entrant));
  if (leader === undefined) return undefined;
  const replicas: Target[] = [];
  try {
    for (let count = 0; entrant.server === 'tarantool' && count < entrant.followers; count++)
      replicas.push(await addReplica(session, leader));
    await leader.load(rows);
    return await leader.measure(shape, seconds);
  } catch (error) {
    session.note(`${nameOf(entrant)} was not measured: ${describe(error)}`);
    return undefined;
  } finally {
    for (const replica of replicas) await replica.kill();
    await session.close(leader);
  }
}

async function buildLeader(session: Session, entrant: Entrant): Promise<Target> {
  const ports = await freePorts(2 * (entrant.followers + 1));
  const [port = 0] = ports;
  const common = { name: nameOf(entrant), folder: session.newFolder(), logMode: 'write' } as const;
  const rowsMax = rowsMaxOf(session);
  return entrant.server === 'tonearm'
    ? new Tonearm({ ...common, ports, rowsMax })
    : new Tarantool({ ...common, port, primaryIndex: 'TREE', rowsMax });
}

function nameOf(entrant: Entrant): string {
  return entrant.server === 'tonearm'
    ? `Tonearm, ${countOf(entrant, 'follower')}`
    : `Tarantool, ${countOf(entrant, 'replica')}`;
}

function countOf({ followers }: Entrant, noun: string): string {
  const counts = ['no', 'one', 'two'];
  return `${counts[followers] ?? followers} ${noun}${followers > 1 ? 's' : ''}`;
}
