import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildComparison, type ComparisonInput } from './comparison.ts';
import {
  renderChanges,
  renderComparisons,
  renderFailover,
  renderFigure,
  renderIdle,
} from './render.ts';

const get: ComparisonInput = {
  id: 'get',
  title: 'get 16x16',
  against: 'Tarantool TREE',
  unit: 'per-second',
  goal: { bound: 'at-least', value: 0.85, of: 'ratio' },
  ours: [600_000, 700_000, 650_000],
  theirs: [1_300_000, 1_400_000, 1_300_000],
};

describe('the table of results', () => {
  it('marks goals that are missed, met and not measured', () => {
    const table = renderComparisons([
      buildComparison(get),
      buildComparison({
        ...get,
        title: 'recovery from log',
        unit: 'seconds',
        goal: { bound: 'at-most', value: 3, of: 'ours' },
        ours: [1.5],
        theirs: [1.2],
      }),
      buildComparison({ ...get, title: 'get 1x64', ours: [] }),
      buildComparison({ ...get, title: 'select 16x16', goal: null, theirs: [900] }),
    ]);
    assert.equal(
      table,
      `\
                   against           ours   theirs    ratio  of rounds      goal
get 16x16          Tarantool TREE  650k/s  1.30M/s    0.50×  0.46–0.50   ≥ 0.85×  MISSED
recovery from log  Tarantool TREE  1.50 s   1.20 s    1.25×             ≤ 3.00 s  met
get 1x64           Tarantool TREE       –  1.30M/s        –              ≥ 0.85×  not measured
select 16x16       Tarantool TREE  650k/s    900/s  722.22×
`,
    );
  });

  it('marks ratios that have become worse by more than runs differ anyway', () => {
    const change = { id: 'a', title: 'get / Redis', before: 1, now: 0.95, gain: 0.95 };
    assert.equal(
      renderChanges([change, { ...change, title: 'insert / Redis', now: 0.8, gain: 0.8 }]),
      `\
ratio to the other server  before    now   gain
get / Redis                 1.00×  0.95×  0.95×
insert / Redis              1.00×  0.80×  0.80×  WORSE
`,
    );
  });

  it('gives figures as many digits as say something', () => {
    assert.deepEqual(
      [
        renderFigure(9_876, 'per-second'),
        renderFigure(98_765, 'per-second'),
        renderFigure(1_234_567, 'per-second'),
        renderFigure(0.126, 'ms'),
        renderFigure(153.4, 'bytes'),
        renderFigure(null, 'seconds'),
      ],
      ['9876/s', '99k/s', '1.23M/s', '0.13 ms', '153 B', '–'],
    );
  });
});

describe('the table of failover', () => {
  it('marks medians above their goal, and rows that are missing', () => {
    const figure = {
      ...{ title: 'frozen', rounds: 3, medianMs: 2500, worstMs: 3100, goalMs: 2700 },
      ...{ acknowledged: 900, writesPerSecond: 200.4, failed: 4, missing: 0 },
    };
    const late = { ...figure, title: 'cut', medianMs: 2800 };
    const lost = { ...figure, title: 'killed', missing: 1 };
    assert.equal(
      renderFailover([figure, late, lost, { ...figure, medianMs: null, worstMs: null }]),
      `\
fault   rounds      median       worst       goal  written  writes/s  failed  missing
frozen       3  2500.00 ms  3100.00 ms  ≤ 2700 ms      900       200       4        0  met
cut          3  2800.00 ms  3100.00 ms  ≤ 2700 ms      900       200       4        0  MISSED
killed       3  2500.00 ms  3100.00 ms  ≤ 2700 ms      900       200       4        1  ROWS ARE MISSING
frozen       3           –           –  ≤ 2700 ms      900       200       4        0  not measured
`,
    );
  });

  it('shows what one instance of an idle cluster asks for', () => {
    assert.equal(
      renderIdle([
        {
          ...{ instances: 20, what: 'real processes' as const },
          ...{ cpuSecondsPerMinute: 12, requestsPerSecond: 14 },
        },
      ]),
      `\
idle instances  as              CPU a minute  requests/s  of an instance
20              real processes       12.00 s        14.0            0.70
`,
    );
  });
});
