/**
 * How long a follower that has nothing takes, from the start of its process, until it has all rows of its leader: ours
 * until it counts as in sync, Tarantool's until it answers with them.
 */
import { performance } from 'node:perf_hooks';
import { buildLeader, buildTarget } from './build-target.ts';
import { buildComparison, type SuiteResult } from './comparison.ts';
import { addReplica } from './replica.ts';
import { describe, type Session } from './session.ts';
import { orderOfRound } from './statistics.ts';

type Side = 'tonearm' | 'tarantool';

/** What the ancestor took for a million rows when it was measured for this project. */
const GOAL = { bound: 'at-most', value: 3.9, of: 'ours' } as const;
const GOAL_ROWS = 1_000_000;

export async function runJoin(session: Session): Promise<SuiteResult> {
  const taken: Record<Side, number[]> = { tonearm: [], tarantool: [] };
  const sides = (['tonearm', 'tarantool'] as const).filter((side) => session.takesPart(side));
  for (let round = 0; round < session.options.rounds; round++) {
    for (const side of orderOfRound(sides, round)) {
      const seconds = await tryJoin(session, side);
      if (seconds === undefined) continue;
      taken[side].push(seconds);
      session.say(`join round ${round + 1}: ${side} ${seconds.toFixed(2)} s`);
    }
  }
  const comparison = buildComparison({
    ...{ id: 'join', title: 'join', against: 'Tarantool replica', unit: 'seconds' },
    goal: session.options.rows === GOAL_ROWS ? GOAL : null,
    ...{ ours: taken.tonearm, theirs: taken.tarantool },
  });
  return { comparisons: [comparison], samples: taken };
}

/** Undefined, with a note, when it cannot be measured. */
async function tryJoin(session: Session, side: Side): Promise<number | undefined> {
  try {
    return await (side === 'tonearm' ? joinOurs(session) : joinTarantool(session));
  } catch (error) {
    session.note(`the join of ${side} was not measured: ${describe(error)}`);
    return undefined;
  }
}

async function joinOurs(session: Session): Promise<number | undefined> {
  const target = await buildLeader(session);
  const leader = await session.open(target);
  if (leader === undefined) return undefined;
  try {
    await leader.load(session.options.rows);
    const beganAtMs = performance.now();
    await target.addFollowers();
    for (const address of target.followerAddresses) await leader.untilRowsAnswer(address);
    return (performance.now() - beganAtMs) / 1000;
  } finally {
    await session.close(leader);
  }
}

async function joinTarantool(session: Session): Promise<number | undefined> {
  const target = await buildTarget(session, 'tarantool-tree', 'write');
  const leader = target === undefined ? undefined : await session.open(target);
  if (leader === undefined) return undefined;
  try {
    await leader.load(session.options.rows);
    const beganAtMs = performance.now();
    const replica = await addReplica(session, leader);
    const seconds = (performance.now() - beganAtMs) / 1000;
    await replica.kill();
    return seconds;
  } finally {
    await session.close(leader);
  }
}
