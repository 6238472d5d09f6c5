import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextProbeDelayMs, type ProbeState, recordAnswer, UNPROBED } from './probe-state.ts';

const probe = { periodSeconds: 2, failureThreshold: 3 };

/** The outcome after each answer; answers are [time in ms, ok]. */
function outcomes(answers: readonly (readonly [number, boolean])[]): string[] {
  let state: ProbeState = UNPROBED;
  return answers.map(([nowMs, isOk]) => {
    state = recordAnswer(state, { isOk, nowMs }, probe);
    return state.outcome;
  });
}

describe('recordAnswer', () => {
  it('passes with the first good answer', () => {
    assert.deepEqual(outcomes([[0, true]]), ['passing']);
  });

  it('fails as late as the manifest says, however often it asks', () => {
    const answers = [0, 100, 200, 3_900, 4_000].map((nowMs) => [nowMs, false] as const);
    assert.deepEqual(outcomes(answers), ['unknown', 'unknown', 'unknown', 'unknown', 'failing']);
  });

  it('stays passing over a single bad answer, and counts anew after a good one', () => {
    const answers = [
      [0, true],
      [2_000, false],
      [4_000, false],
      [6_000, true],
      [8_000, false],
      [10_000, false],
      [12_000, false],
    ] as const;
    assert.deepEqual(outcomes(answers).slice(-4), ['passing', 'passing', 'passing', 'failing']);
  });

  it('wants as many good answers as the manifest says', () => {
    const first = recordAnswer(UNPROBED, { isOk: true, nowMs: 0 }, { successThreshold: 2 });
    const second = recordAnswer(first, { isOk: true, nowMs: 0 }, { successThreshold: 2 });
    assert.deepEqual([first.outcome, second.outcome], ['unknown', 'passing']);
  });
});

describe('nextProbeDelayMs', () => {
  it('is eager while a container starts, patient once it is well', () => {
    const passing = recordAnswer(UNPROBED, { isOk: true, nowMs: 0 }, probe);
    const delays = [
      nextProbeDelayMs(UNPROBED, probe, 0),
      nextProbeDelayMs(UNPROBED, probe, 120_000),
      nextProbeDelayMs(passing, probe, 0),
    ];
    assert.deepEqual(delays, [100, 1_000, 2_000]);
  });
});
