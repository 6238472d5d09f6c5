/** One instance beside Tarantool and Redis: every measurement with all of them in turn, in each round. */
import { buildTarget, type TargetId, titles } from './build-target.ts';
import { buildComparison, type SuiteResult } from './comparison.ts';
import { renderFigure } from './render.ts';
import type { Session } from './session.ts';
import { orderOfRound } from './statistics.ts';
import { type Group, groups, type Measurement, wanted } from './storage-plan.ts';
import { measureRecovery } from './storage-recovery.ts';
import type { Sample, Shape, Subject } from './subject.ts';

type Samples = Map<string, Partial<Record<TargetId, Sample[]>>>;

export async function runStorage(session: Session): Promise<SuiteResult> {
  const samples: Samples = new Map();
  for (const group of groups) await measureGroup(session, group, samples);
  const comparisons = wanted
    .filter(({ measurement }) => isAsked(session, measurement))
    .map((want) => {
      const { measurement, against, figure, unit, goal } = want;
      const figures = (id: TargetId): readonly number[] =>
        (samples.get(measurement)?.[id] ?? []).map((sample) => sample[figure]);
      return buildComparison({
        id: `${measurement} ${figure} ${against}`,
        title: want.title ?? measurement,
        against: titles[against],
        unit,
        goal,
        ours: figures('ours'),
        theirs: figures(against),
      });
    });
  const recovery = isAsked(session, 'recovery') ? await measureRecovery(session) : [];
  return { comparisons: [...comparisons, ...recovery], samples: Object.fromEntries(samples) };
}

function isAsked({ options }: Session, name: string): boolean {
  return options.only.length === 0 || options.only.some((text) => name.includes(text));
}

async function measureGroup(session: Session, group: Group, samples: Samples): Promise<void> {
  const measurements = group.measurements.filter(({ name }) => isAsked(session, name));
  const ids = new Set(measurements.flatMap(({ shapes }) => Object.keys(shapes) as TargetId[]));
  const subjects = new Map<TargetId, Subject>();
  for (const id of ids) {
    const subject = await openLoaded(session, id, group.logMode);
    if (subject !== undefined) subjects.set(id, subject);
  }
  for (const measurement of measurements) {
    samples.set(measurement.name, await measure(session, measurement, subjects));
  }
  for (const subject of subjects.values()) await session.close(subject);
}

async function measure(
  session: Session,
  { name, shapes }: Measurement,
  subjects: ReadonlyMap<TargetId, Subject>,
): Promise<Partial<Record<TargetId, Sample[]>>> {
  const taken: Partial<Record<TargetId, Sample[]>> = {};
  const entrants = (Object.entries(shapes) as [TargetId, Shape][]).flatMap(([id, shape]) => {
    const subject = subjects.get(id);
    return subject === undefined ? [] : [{ id, shape, subject }];
  });
  for (let round = 0; round < session.options.rounds; round++) {
    for (const { id, shape, subject } of orderOfRound(entrants, round)) {
      const sample = await subject.measure(shape, session.options.seconds);
      (taken[id] ??= []).push(sample);
      const figures = `${renderFigure(sample.opsPerSecond, 'per-second')}, p99 ${sample.p99Ms} ms`;
      session.say(`${name} round ${round + 1}: ${titles[id]} ${figures}`);
    }
  }
  return taken;
}

async function openLoaded(
  session: Session,
  id: TargetId,
  logMode: 'write' | 'fsync',
): Promise<Subject | undefined> {
  const target = await buildTarget(session, id, logMode);
  const subject = target === undefined ? undefined : await session.open(target);
  if (subject === undefined) return undefined;
  const { opsPerSecond } = await subject.load(session.options.rows);
  session.say(`${subject.target.name} is loaded: ${renderFigure(opsPerSecond, 'per-second')}`);
  return subject;
}
