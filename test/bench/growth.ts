/** How inserts and gets become slower as a space grows: ours and Tarantool's, at each of some numbers of rows. */

import { buildTarget, titles } from './build-target.ts';
import { buildComparison, type Comparison, type SuiteResult } from './comparison.ts';
import { renderFigure } from './render.ts';
import type { Session } from './session.ts';
import { orderOfRound } from './statistics.ts';
import type { Sample, Shape, Subject } from './subject.ts';

const SIDES = ['ours', 'tarantool-tree'] as const;
type Side = (typeof SIDES)[number];

/** Gets first: they should see the number of rows that the table says. */
const shapes: readonly Shape[] = [
  { operation: 'get', connections: 16, depth: 16 },
  { operation: 'insert', connections: 16, depth: 16 },
];

export async function runGrowth(session: Session): Promise<SuiteResult> {
  const comparisons: Comparison[] = [];
  const samples: Record<string, unknown> = {};
  for (const rows of session.options.sizes) {
    const subjects = new Map<Side, Subject>();
    for (const side of SIDES) {
      const target = await buildTarget(session, side, 'write', rows);
      const subject = target === undefined ? undefined : await session.open(target);
      if (subject === undefined) continue;
      await subject.load(rows);
      subjects.set(side, subject);
    }
    for (const shape of shapes) {
      const title = `${shape.operation} 16x16, ${renderRows(rows)}`;
      const taken = await measure(session, { title, shape, subjects });
      samples[title] = taken;
      comparisons.push(
        buildComparison({
          ...{ id: title, title, against: 'Tarantool TREE', unit: 'per-second', goal: null },
          ours: taken.ours.map(({ opsPerSecond }) => opsPerSecond),
          theirs: taken['tarantool-tree'].map(({ opsPerSecond }) => opsPerSecond),
        }),
      );
    }
    for (const subject of subjects.values()) await session.close(subject);
  }
  const byOperation = comparisons.toSorted(
    (a, b) => Number(a.title.startsWith('get')) - Number(b.title.startsWith('get')),
  );
  return { comparisons: byOperation, samples };
}

async function measure(
  session: Session,
  what: {
    readonly title: string;
    readonly shape: Shape;
    readonly subjects: ReadonlyMap<Side, Subject>;
  },
): Promise<Record<Side, Sample[]>> {
  const taken: Record<Side, Sample[]> = { ours: [], 'tarantool-tree': [] };
  for (let round = 0; round < session.options.rounds; round++) {
    for (const [side, subject] of orderOfRound([...what.subjects], round)) {
      const sample = await subject.measure(what.shape, session.options.seconds);
      taken[side].push(sample);
      const figure = renderFigure(sample.opsPerSecond, 'per-second');
      session.say(`${what.title} round ${round + 1}: ${titles[side]} ${figure}`);
    }
  }
  return taken;
}

function renderRows(rows: number): string {
  return rows >= 1e6 ? `${rows / 1e6}M rows` : `${rows / 1e3}k rows`;
}
