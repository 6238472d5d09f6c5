/** Memory of rows, and how long a killed server takes until it answers with them again. */
import { setTimeout as delay } from 'node:timers/promises';
import { buildTarget, titles } from './build-target.ts';
import { buildComparison, type Comparison, type ComparisonInput, type Goal } from './comparison.ts';
import { describe, type Session } from './session.ts';
import { orderOfRound } from './statistics.ts';
import { atMost } from './storage-plan.ts';
import type { Subject } from './subject.ts';

const SIDES = ['ours', 'tarantool-tree'] as const;
type Side = (typeof SIDES)[number];
type Figures = Record<Side, number[]>;

/** What a server frees or writes at once after a load is not what it keeps. */
const SETTLE_MS = 2000;
/** A million rows, of which the goals speak. */
const GOAL_ROWS = 1_000_000;

export async function measureRecovery(session: Session): Promise<readonly Comparison[]> {
  const memory: Figures = { ours: [], 'tarantool-tree': [] };
  const log: Figures = { ours: [], 'tarantool-tree': [] };
  const snapshot: Figures = { ours: [], 'tarantool-tree': [] };
  const subjects: { readonly side: Side; readonly subject: Subject }[] = [];
  for (const side of SIDES) {
    const target = await buildTarget(session, side, 'write');
    const subject = target === undefined ? undefined : await session.open(target);
    if (subject === undefined) continue;
    memory[side].push(await bytesPerRow(session, subject));
    subjects.push({ side, subject });
  }
  const recoverAll = async (what: string, figures: Figures): Promise<void> => {
    for (let round = 0; round < session.options.rounds; round++) {
      for (const { side, subject } of orderOfRound(subjects, round)) {
        const seconds = await subject.recover();
        figures[side].push(seconds);
        session.say(
          `recovery from ${what} round ${round + 1}: ${titles[side]} ${seconds.toFixed(2)} s`,
        );
      }
    }
  };
  await recoverAll('log', log);
  await keepThoseWithSnapshot(session, subjects);
  await recoverAll('snapshot', snapshot);
  for (const { subject } of subjects) await session.close(subject);

  const isGoalSize = session.options.rows === GOAL_ROWS;
  const input = (id: string, title: string, figures: Figures, goal: Goal): ComparisonInput => ({
    ...{ id, title, against: titles['tarantool-tree'], unit: 'seconds' },
    ...{ goal: isGoalSize ? goal : null },
    ...{ ours: figures.ours, theirs: figures['tarantool-tree'] },
  });
  return [
    buildComparison({ ...input('memory', 'memory of a row', memory, atMost(1.25)), unit: 'bytes' }),
    buildComparison(
      input('recovery-snapshot', 'recovery from snapshot', snapshot, atMost(2, 'ours')),
    ),
    buildComparison(input('recovery-log', 'recovery from log', log, atMost(3, 'ours'))),
  ];
}

/** By the growth of the process: what it is without rows does not count. */
async function bytesPerRow(session: Session, subject: Subject): Promise<number> {
  const { rows } = session.options;
  const before = subject.target.residentBytes();
  await subject.load(rows);
  await delay(SETTLE_MS);
  const bytes = (subject.target.residentBytes() - before) / rows;
  session.say(`${subject.target.name}: ${bytes.toFixed(0)} bytes for a row`);
  return bytes;
}

async function keepThoseWithSnapshot(
  session: Session,
  subjects: { readonly side: Side; readonly subject: Subject }[],
): Promise<void> {
  for (const entrant of [...subjects]) {
    const { target } = entrant.subject;
    try {
      await target.snapshot();
    } catch (error) {
      session.note(`${target.name} was not measured with a snapshot: ${describe(error)}`);
      subjects.splice(subjects.indexOf(entrant), 1);
      await session.close(entrant.subject);
    }
  }
}
