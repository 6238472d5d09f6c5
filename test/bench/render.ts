/** Results as tables for a terminal of 100 columns. Pure. */
import type { Comparison, Goal, RatioChange, Unit } from './comparison.ts';
import type { IdleRow } from './failover/idle.ts';
import type { FailoverFigure } from './failover.ts';
import type { Pause } from './pauses.ts';

/** Runs of the same code differ by so much on a busy machine; less is no news. */
const NOISE = 0.9;

export function renderComparisons(comparisons: readonly Comparison[]): string {
  const header = ['', 'against', 'ours', 'theirs', 'ratio', 'of rounds', 'goal', ''];
  const rows = comparisons.map((comparison) => [
    comparison.title,
    comparison.against,
    renderFigure(comparison.ours, comparison.unit),
    renderFigure(comparison.theirs, comparison.unit),
    renderRatio(comparison.ratio),
    renderRange(comparison.roundRatios),
    renderGoal(comparison.goal, comparison.unit),
    renderVerdict(comparison),
  ]);
  return renderTable([header, ...rows], 2);
}

export function renderChanges(changes: readonly RatioChange[]): string {
  const header = ['ratio to the other server', 'before', 'now', 'gain', ''];
  const rows = changes.map(({ title, before, now, gain }) => [
    title,
    renderRatio(before),
    renderRatio(now),
    renderRatio(gain),
    gain < NOISE ? 'WORSE' : '',
  ]);
  return renderTable([header, ...rows], 1);
}

export function renderPauses(pauses: readonly Pause[]): string {
  const header = ['longest pause during', 'took', 'loop max', 'p99.9', 'ping max', 'p99.9', ''];
  const rows = pauses.map((pause) => [
    pause.during,
    renderFigure(pause.seconds, 'seconds'),
    renderFigure(pause.loopMaxMs, 'ms'),
    renderFigure(pause.loopP999Ms, 'ms'),
    renderFigure(pause.pingMaxMs, 'ms'),
    renderFigure(pause.pingP999Ms, 'ms'),
    '',
  ]);
  return renderTable([header, ...rows], 1);
}

export function renderFailover(figures: readonly FailoverFigure[]): string {
  const header = [
    'fault',
    'rounds',
    'median',
    'worst',
    'goal',
    'written',
    'writes/s',
    'failed',
    'missing',
    '',
  ];
  const rows = figures.map((figure) => [
    figure.title,
    String(figure.rounds),
    renderFigure(figure.medianMs, 'ms'),
    renderFigure(figure.worstMs, 'ms'),
    figure.goalMs === null ? '' : `≤ ${figure.goalMs} ms`,
    String(figure.acknowledged),
    figure.writesPerSecond.toFixed(0),
    String(figure.failed),
    String(figure.missing),
    renderFailoverVerdict(figure),
  ]);
  return renderTable([header, ...rows], 1);
}

function renderFailoverVerdict({ medianMs, goalMs, missing }: FailoverFigure): string {
  if (missing > 0) return 'ROWS ARE MISSING';
  if (goalMs === null) return '';
  if (medianMs === null) return 'not measured';
  return medianMs <= goalMs ? 'met' : 'MISSED';
}

export function renderIdle(idle: readonly IdleRow[]): string {
  const header = ['idle instances', 'as', 'CPU a minute', 'requests/s', 'of an instance', ''];
  const rows = idle.map(({ instances, what, cpuSecondsPerMinute, requestsPerSecond }) => [
    String(instances),
    what,
    renderFigure(cpuSecondsPerMinute, 'cpu-seconds'),
    requestsPerSecond.toFixed(1),
    (requestsPerSecond / instances).toFixed(2),
    '',
  ]);
  return renderTable([header, ...rows], 2);
}

export function renderFigure(figure: number | null, unit: Unit): string {
  if (figure === null) return '–';
  switch (unit) {
    case 'per-second':
      if (figure >= 1e6) return `${(figure / 1e6).toFixed(2)}M/s`;
      return figure >= 1e4 ? `${(figure / 1e3).toFixed(0)}k/s` : `${figure.toFixed(0)}/s`;
    case 'ms':
      return `${figure.toFixed(2)} ms`;
    case 'seconds':
    case 'cpu-seconds':
      return `${figure.toFixed(2)} s`;
    case 'bytes':
      return `${figure.toFixed(0)} B`;
  }
}

function renderRatio(ratio: number | null): string {
  return ratio === null ? '–' : `${ratio.toFixed(2)}×`;
}

function renderRange(ratios: readonly number[]): string {
  if (ratios.length < 2) return '';
  return `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
}

function renderGoal(goal: Goal | null, unit: Unit): string {
  if (goal === null) return '';
  const sign = goal.bound === 'at-least' ? '≥' : '≤';
  const value = goal.of === 'ratio' ? renderRatio(goal.value) : renderFigure(goal.value, unit);
  return `${sign} ${value}`;
}

function renderVerdict({ goal, isMet }: Comparison): string {
  if (goal === null) return '';
  return isMet === null ? 'not measured' : isMet ? 'met' : 'MISSED';
}

/** The first `texts` columns stand left, figures right; the last one, a remark, left again. */
function renderTable(rows: readonly (readonly string[])[], texts: number): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const renderRow = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const isLeft = column < texts || column === columns - 1;
        const width = widths[column] ?? 0;
        return isLeft ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return `${rows.map(renderRow).join('\n')}\n`;
}
