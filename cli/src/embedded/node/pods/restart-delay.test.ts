import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planRestart } from './restart-delay.ts';

describe('planRestart', () => {
  it('restarts at once, then waits longer each time, up to a bound', () => {
    const delays: number[] = [];
    for (let crashes = 0; crashes < 8; ) {
      const plan = planRestart(crashes, 100);
      delays.push(plan.delayMs);
      crashes = plan.crashesInARow;
    }
    assert.deepEqual(delays, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('forgets earlier crashes of a container that ran well', () => {
    assert.deepEqual(planRestart(7, 10_000), { crashesInARow: 1, delayMs: 0 });
  });
});
